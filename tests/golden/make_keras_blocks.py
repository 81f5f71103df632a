"""Writes `keras_blocks.json` beside itself: what Keras computes and learns with the layers in this file.

Not a test and never run by one: it needs an environment with `keras` and `jax`. Each case holds a layer's inputs and
first weights; its output in training and in inference; the mean squared error to a target and its gradients by weights
and inputs; and what ten steps of Adam make of the weights. All in float64.
"""

from __future__ import annotations

import inspect
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

os.environ.update(KERAS_BACKEND="jax", JAX_PLATFORMS="cpu")

import jax
import keras
import numpy as np
from keras.src.backend.common import dtypes

# Keras computes in float32 where it promotes types, whatever they were; here float64 shall stay what it is.
dtypes.BIT64_TO_BIT32_DTYPE.pop("float64")
jax.config.update("jax_enable_x64", True)
keras.config.set_floatx("float64")

STEPS, RATE = 10, 0.0625  # a rate that float32 holds exactly, for that is how Keras keeps it
random = np.random.default_rng(20240712)


def numbers(value: Any) -> Any:
    array = np.asarray(value)
    return array.tolist() if array.dtype.kind == "i" else array.astype(np.float64).tolist()


def normal(*shape: int, scale: float = 1.0, offset: float = 0.0) -> Any:
    return random.normal(size=shape) * scale + offset


def case(part: dict[str, Any], made: Any, inputs: Sequence[Any], how: str = "list", **call: Any) -> dict[str, Any]:
    """How `made`, the layer that `part` describes, treats the inputs, and what it learns.

    `how` says whether it takes its inputs as one list, or as arguments of their own.
    """
    given = [keras.ops.convert_to_tensor(x) for x in inputs]
    arguments: Any = [given] if how == "list" and len(given) > 1 else given
    made(*arguments, **call)
    for variable in made.variables:
        scale, offset = (0.3, 1.0) if "gamma" in variable.path or "variance" in variable.path else (0.5, 0.0)
        drawn = random.normal(size=variable.shape) * scale
        variable.assign(np.abs(drawn) + offset if "variance" in variable.path else drawn + offset)
    names = {variable.path: variable.path.partition("/")[2] for variable in made.variables}
    first = {names[variable.path]: numbers(variable.value) for variable in made.variables}

    def run(trainable: Any, fixed: Any, xs: Any, training: bool) -> Any:
        own: Any = [xs] if how == "list" and len(xs) > 1 else xs
        mode = {"training": training} if "training" in inspect.signature(made.call).parameters else {}
        return made.stateless_call(trainable, fixed, *own, **mode, **call)

    def variables() -> tuple[list[Any], list[Any]]:
        fixed = [variable.value for variable in made.non_trainable_variables]
        return [variable.value for variable in made.trainable_variables], fixed

    inferred, _ = run(*variables(), given, False)
    value, _ = run(*variables(), given, True)
    target = random.normal(size=value.shape)

    def loss(trainable: Any, floats: Any, fixed: Any) -> Any:
        stack = list(floats)
        xs = [x if x.dtype.kind == "i" else stack.pop(0) for x in given]
        result, updated = run(trainable, fixed, xs, True)
        return jax.numpy.square(result - target).mean(), updated

    optimizer = keras.optimizers.Adam(RATE)
    if made.trainable_variables:
        optimizer.build(made.trainable_variables)
    floats = [x for x in given if x.dtype.kind == "f"]
    path: list[float] = []
    gradients: dict[str, Any] = {}
    input_gradients: list[Any] = []
    for step in range(STEPS):
        differentiate = jax.value_and_grad(loss, argnums=(0, 1), has_aux=True)
        trainable, fixed = variables()
        (found, updated), (by_weight, by_input) = differentiate(trainable, floats, fixed)
        path.append(float(found))
        if step == 0:
            input_gradients = [numbers(gradient) for gradient in by_input]
            pairs = zip(made.trainable_variables, by_weight, strict=True)
            gradients = {names[variable.path]: numbers(gradient) for variable, gradient in pairs}
        if not made.trainable_variables:
            break
        optimizer.apply(by_weight, made.trainable_variables)
        for variable, new in zip(made.non_trainable_variables, updated, strict=True):
            variable.assign(new)
    return {
        "part": part,
        "inputs": [numbers(x) for x in given],
        "weights": first,
        "target": numbers(target),
        "value": numbers(value),
        "inferred": numbers(inferred),
        "losses": path,
        "gradients": gradients,
        "input_gradients": input_gradients,
        "trained": {names[variable.path]: numbers(variable.value) for variable in made.variables},
    }


def merges() -> list[dict[str, Any]]:
    layers = keras.layers
    a, b, c = normal(3, 4, 2), normal(3, 4, 2), normal(3, 4, 2)
    row, single = normal(3, 2), normal(3, 4, 1)
    cases = []
    for name in ("Add", "Multiply", "Average", "Maximum", "Minimum"):
        inputs = ([a, b, c], [a, row], [single, b, row])
        cases += [case({"type": name.lower()}, getattr(layers, name)(), given) for given in inputs]
    cases += [
        case({"type": "subtract"}, layers.Subtract(), [a, b]),
        case({"type": "subtract"}, layers.Subtract(), [row, b]),
        case({"type": "concatenate"}, layers.Concatenate(), [a, b, single]),
        case({"type": "concatenate", "axis": 1}, layers.Concatenate(axis=1), [a, normal(3, 1, 2)]),
        case({"type": "concatenate"}, layers.Concatenate(), [row, normal(3, 5)]),
    ]
    x, y, z = normal(2, 3, 4), normal(2, 4, 5), normal(2, 4)
    for normalize in (False, True):
        settings: list[tuple[Any, list[Any]]] = [
            (1, [z, normal(2, 4)]),
            ([2, 1], [x, y]),
            ([2, 1], [x, z]),
            ([-1, -2], [z, y]),
            (-1, [x, normal(2, 2, 4)]),
            ([1, 2], [normal(2, 3, 2, 2), normal(2, 2, 3)]),
        ]
        for axes, inputs in settings:
            made = layers.Dot(axes=axes, normalize=normalize)
            cases.append(case({"type": "dot", "axes": axes, "normalize": normalize}, made, inputs))
    return cases


def normalizations() -> list[dict[str, Any]]:
    layers = keras.layers
    flat, sequence, image = normal(4, 3, offset=2.0), normal(3, 4, 2, scale=2.0), normal(2, 3, 2, 2, offset=-1.0)
    cases = []
    settings: list[tuple[str, Any, list[dict[str, Any]]]] = [
        (
            "layer_normalization",
            layers.LayerNormalization,
            [{}, {"epsilon": 0.1, "center": False}, {"scale": False}, {"axis": [1, 2]}, {"axis": 1}],
        ),
        # Other axes than the last ones fail there: its `scale` is not brought into place.
        ("rms_normalization", layers.RMSNormalization, [{}, {"epsilon": 0.1}, {"axis": [1, 2]}]),
        (
            "batch_normalization",
            layers.BatchNormalization,
            [{}, {"momentum": 0.5, "epsilon": 0.1, "center": False}, {"scale": False, "momentum": 0.9}, {"axis": 1}],
        ),
    ]
    for name, made, arguments in settings:
        for given in arguments:
            if "axis" in given:
                inputs = (sequence,) if name == "rms_normalization" else (sequence, image)
            else:
                inputs = (flat, image) if given else (flat, sequence, image)
            cases += [case({"type": name, **given}, made(**given), [x]) for x in inputs]
    frozen = layers.BatchNormalization(trainable=False)
    cases.append(case({"type": "batch_normalization", "trainable": False}, frozen, [sequence]))
    return cases


def embeddings() -> list[dict[str, Any]]:
    made = keras.layers.Embedding
    part = {"type": "embedding", "input_dim": 5, "output_dim": 3}
    single, sequence = random.integers(0, 5, (6,)), random.integers(0, 5, (4, 3))
    return [case(part, made(5, 3), [single]), case(part, made(5, 3), [sequence])]


def attention() -> list[dict[str, Any]]:
    """Causal or not, by itself or between sequences of different lengths and features."""
    x, y, z = normal(2, 4, 3), normal(2, 5, 2), normal(2, 5, 4)
    settings: list[tuple[list[Any], dict[str, Any], dict[str, Any]]] = [
        ([x], {"num_heads": 2, "key_dim": 2}, {}),
        ([x], {"num_heads": 2, "key_dim": 2}, {"use_causal_mask": True}),
        ([x], {"num_heads": 1, "key_dim": 3, "value_dim": 2, "use_bias": False}, {}),
        ([x, y], {"num_heads": 2, "key_dim": 2, "value_dim": 3}, {}),
        ([x, y], {"num_heads": 2, "key_dim": 1}, {"use_causal_mask": True}),
        ([x, y, z], {"num_heads": 2, "key_dim": 2}, {}),
    ]
    cases = []
    for inputs, arguments, call in settings:
        part = {"type": "multi_head_attention", **arguments, **({"causal": True} if call else {})}
        made = keras.layers.MultiHeadAttention(**arguments)
        given = inputs * 2 if len(inputs) == 1 else inputs
        made.build(*(each.shape for each in given))
        # Its layer of dropout was built with the rate 0. Behind it Keras now takes its own path instead of JAX's, which
        # computes the softmax in float32 and takes no values of another length than the keys.
        made._dropout = 0.5
        found = case(part, made, given, "arguments", **call)
        if len(inputs) == 1:  # Keras takes it as query and as value
            first, second = (np.asarray(gradient) for gradient in found["input_gradients"])
            found["inputs"], found["input_gradients"] = found["inputs"][:1], [numbers(first + second)]
        cases.append(found)
    return cases


def main() -> None:
    golden = {
        "source": f"Keras {keras.__version__} on JAX {jax.__version__}, float64",
        "rate": RATE,
        "merges": merges(),
        "normalizations": normalizations(),
        "embeddings": embeddings(),
        "attention": attention(),
    }
    text = json.dumps(golden, indent=None, separators=(",", ":"))
    Path(__file__).with_name("keras_blocks.json").write_text(text.replace('},{"part"', '},\n{"part"') + "\n")


if __name__ == "__main__":
    main()
