"""Writes `keras_layers_<group>.json` beside itself: what Keras computes and learns with layers, one line per case.

Not a test and never run by one: it needs an environment with `keras` and `jax`. The cases have the form of
`make_keras_blocks.py`, which this file takes its means from, but for the optimizer: gradient descent, whose path
float32 can follow. A line names the layer, its arguments and the shapes of its inputs; the fields of `Line` say the
rest. `python make_keras_layers.py images attention` writes these groups alone.
"""

from __future__ import annotations

import inspect
import json
import re
import sys
from pathlib import Path
from typing import Any

from keras_augmentations import AUGMENTATIONS
from keras_draws import Draws, in_float64
from keras_lines import GROUPS, Line
from make_keras_blocks import STEPS, jax, keras, normal, np, numbers, random

in_float64()
layers = keras.layers
RATE = 0.25
"""Learning rate of the gradient descent, a number that float32 holds exactly."""

NAMES = {
    "elu": "ELU", "relu": "ReLU", "leaky_relu": "LeakyReLU", "prelu": "PReLU", "conv_lstm1d": "ConvLSTM1D",
    "conv_lstm2d": "ConvLSTM2D", "conv_lstm3d": "ConvLSTM3D", "lstm": "LSTM",
    "grouped_query_attention": "GroupQueryAttention",
}  # fmt: skip
"""Classes whose names do not follow from ours."""


def made(line: Line) -> Any:
    """Keras's layer of our name: `max_pooling2d` → `MaxPooling2D`."""
    if line.made is not None:
        return line.made
    words = re.sub(r"([123])d", r"\1D", line.name).split("_")
    known = NAMES.get(line.name) or "".join(word[0].upper() + word[1:] for word in words)
    given = {**line.arguments, **line.keras}
    return getattr(layers, known)(**{key: value for key, value in given.items() if value is not None})


def drawn(variable: Any) -> Any:
    """Numbers of a few digits for a weight: positive ones where they are variances."""
    scale, offset = (0.3, 1.0) if re.search("gamma|variance", variable.path) else (0.5, 0.0)
    found = random.normal(size=variable.shape) * scale
    return (np.abs(found) + offset if "variance" in variable.path else found + offset).round(3)


def case(line: Line) -> dict[str, Any]:
    """How Keras's layer treats the inputs of a line, and what it learns: first values, gradients, ten steps."""
    layer = made(line)
    given = [normal(*shape).round(3) if isinstance(shape, tuple) else shape for shape in line.shapes]
    given = [keras.ops.convert_to_tensor(x) for x in given]
    listed = len(given) > 1 and not line.separate
    own: Any = [given] if listed else given
    layer(*own, **line.call)
    outer = {each.name for each in (layer, getattr(layer, "layer", None), getattr(layer, "cell", None)) if each}
    weights = [variable for variable in layer.variables if "seed_generator" not in variable.path]
    for variable in weights:
        variable.assign(drawn(variable))
    names = {each.path: "/".join(word for word in each.path.split("/") if word not in outer) for each in weights}
    first = {names[variable.path]: numbers(variable.value) for variable in weights}

    def run(trainable: Any, fixed: Any, xs: Any, training: bool) -> Any:
        mode = {"training": training} if "training" in inspect.signature(layer.call).parameters else {}
        variables = [*layer.trainable_variables, *layer.non_trainable_variables]
        state = zip(variables, [*trainable, *fixed], strict=True)
        with keras.StatelessScope(state_mapping=state, collect_losses=True) as scope:
            # Called like this, and not by `stateless_call`, a layer adds the penalty on its output to the losses, among
            # which are the penalties on weights, of which the lines have none.
            result = layer(*([xs] if listed else xs), **mode, **line.call)
            added = layer.losses
        return result, [scope.get_current_value(variable) for variable in layer.non_trainable_variables], added

    rows = [Draws() for _ in range(len(given[0]) if line.drawn else 0)]

    def run_by_rows(trainable: Any, fixed: Any, xs: Any, training: bool) -> Any:
        found = []
        for row, draws in enumerate(rows):
            with draws.given():
                found.append(run(trainable, fixed, [x[row : row + 1] for x in xs], training))
        return jax.numpy.concatenate([values for values, *_ in found]), fixed, []

    def variables() -> tuple[list[Any], list[Any]]:
        fixed = [variable.value for variable in layer.non_trainable_variables]
        return [variable.value for variable in layer.trainable_variables], fixed

    running = run_by_rows if line.drawn else run
    inferred, *_ = running(*variables(), given, False)
    result = {
        "part": {"type": line.name, **line.arguments},
        "inputs": [numbers(x) for x in given],
        "weights": first,
        "inferred": numbers(inferred),
    }
    if not line.random:
        result |= learned(layer, names, given, running, variables)
    if line.drawn:
        result["drawn"] = [draws.numbers for draws in rows]
    return {key: value for key, value in result.items() if key not in line.apart}


def learned(layer: Any, names: dict[str, str], given: list[Any], run: Any, variables: Any) -> dict[str, Any]:
    """The output in training, losses and last weights of ten steps on random targets, and the first gradients."""
    value, *_ = run(*variables(), given, True)
    target = random.normal(size=value.shape).round(3)

    def loss(trainable: Any, floats: Any, fixed: Any) -> Any:
        stack = list(floats)
        xs = [x if x.dtype.kind == "i" else stack.pop(0) for x in given]
        result, updated, added = run(trainable, fixed, xs, True)
        return jax.numpy.square(result - target).mean() + sum(added), updated

    floats = [x for x in given if x.dtype.kind == "f"]
    path: list[float] = []
    gradients: dict[str, Any] = {}
    input_gradients: list[Any] = []
    for step in range(STEPS if layer.trainable_variables else 1):
        trainable, fixed = variables()
        differentiate = jax.value_and_grad(loss, argnums=(0, 1), has_aux=True)
        (found, updated), (by_weight, by_input) = differentiate(trainable, floats, fixed)
        path.append(float(found))
        pairs = list(zip(layer.trainable_variables, by_weight, strict=True))
        if step == 0:
            input_gradients = [numbers(gradient) for gradient in by_input]
            gradients = {names[variable.path]: numbers(gradient) for variable, gradient in pairs}
        for variable, gradient in pairs:
            variable.assign(variable.value - RATE * gradient)
        for variable, new in zip(layer.non_trainable_variables, updated, strict=True):
            variable.assign(new)
    return {
        "target": numbers(target),
        "value": numbers(value),
        "losses": path,
        "gradients": gradients,
        "input_gradients": input_gradients,
        "trained": {name: numbers(each.value) for each in layer.variables if (name := names.get(each.path))},
    }


def main() -> None:
    groups = {**GROUPS, "augmentations": AUGMENTATIONS}
    for name in sys.argv[1:] or groups:
        # Each group has numbers of its own, so that a line more in one does not change another.
        random.bit_generator.state = np.random.default_rng(list(name.encode())).bit_generator.state
        content: dict[str, Any] = {
            "source": f"Keras {keras.__version__} on JAX {jax.__version__}, float64",
            "optimizer": "sgd",
            "rate": RATE,
            "cases": [case(line) for line in groups[name]],
        }
        text = json.dumps(content, indent=None, separators=(",", ":")).replace('},{"part"', '},\n{"part"')
        Path(__file__).with_name(f"keras_layers_{name}.json").write_text(text + "\n")


if __name__ == "__main__":
    main()
