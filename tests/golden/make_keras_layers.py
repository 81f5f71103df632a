"""Writes `keras_layers.json` beside itself: what Keras computes and learns with layers, one line per case.

Not a test and never run by one: it needs an environment with `keras` and `jax`. The cases have the form of
`make_keras_blocks.py`, which this file takes its means from, but for the optimizer: gradient descent, whose path
float32 can follow. A line names the layer, its arguments and the shapes of its inputs; the fields of `Line` say the
rest.
"""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from make_keras_blocks import STEPS, jax, keras, normal, np, numbers, random

layers = keras.layers
RATE = 0.25
"""Learning rate of the gradient descent, a number that float32 holds exactly."""

NAMES = {
    "elu": "ELU", "relu": "ReLU", "leaky_relu": "LeakyReLU", "prelu": "PReLU", "conv_lstm2d": "ConvLSTM2D",
    "grouped_query_attention": "GroupQueryAttention",
}  # fmt: skip
"""Classes whose names do not follow from ours."""


class Line(NamedTuple):
    """A case: our layer with its arguments, and what it is given.

    `shapes`: of the inputs, with the batch; an array stands for itself. `keras`: arguments that Keras spells otherwise
    (None leaves one out). `made`: the layer itself, if its class has no arguments that a config could give. `call`:
    arguments of its call. `separate`: whether it takes its inputs as arguments of their own. `random`: whether training
    draws numbers, so that inference alone can be compared. `apart`: what of Keras's results is not to be compared.
    """

    name: str
    arguments: dict[str, Any] = {}
    shapes: Sequence[Any] = ((2, 3),)
    keras: dict[str, Any] = {}
    made: Any = None
    call: dict[str, Any] = {}
    separate: bool = False
    random: bool = False
    apart: Sequence[str] = ()


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
    inner = getattr(layer, "layer", None)
    outer = {layer.name, inner.name if inner is not None else layer.name}
    weights = [variable for variable in layer.variables if "seed_generator" not in variable.path]
    for variable in weights:
        variable.assign(drawn(variable))
    names = {each.path: "/".join(word for word in each.path.split("/") if word not in outer) for each in weights}
    first = {names[variable.path]: numbers(variable.value) for variable in weights}

    def run(trainable: Any, fixed: Any, xs: Any, training: bool) -> Any:
        mode = {"training": training} if "training" in inspect.signature(layer.call).parameters else {}
        return layer.stateless_call(trainable, fixed, *([xs] if listed else xs), **mode, **line.call)

    def variables() -> tuple[list[Any], list[Any]]:
        fixed = [variable.value for variable in layer.non_trainable_variables]
        return [variable.value for variable in layer.trainable_variables], fixed

    inferred, _ = run(*variables(), given, False)
    result = {
        "part": {"type": line.name, **line.arguments},
        "inputs": [numbers(x) for x in given],
        "weights": first,
        "inferred": numbers(inferred),
    }
    if not line.random:
        result |= learned(layer, names, given, run, variables)
    return {key: value for key, value in result.items() if key not in line.apart}


def learned(layer: Any, names: dict[str, str], given: list[Any], run: Any, variables: Any) -> dict[str, Any]:
    """The output in training, losses and last weights of ten steps on random targets, and the first gradients."""
    value, _ = run(*variables(), given, True)
    target = random.normal(size=value.shape).round(3)

    def loss(trainable: Any, floats: Any, fixed: Any) -> Any:
        stack = list(floats)
        xs = [x if x.dtype.kind == "i" else stack.pop(0) for x in given]
        result, updated = run(trainable, fixed, xs, True)
        return jax.numpy.square(result - target).mean(), updated

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


SEQUENCE, IMAGE, VOLUME = (2, 5, 3), (2, 4, 5, 2), (2, 3, 4, 2, 2)

SHAPES = [
    Line("dense", {"units": 4}),
    Line("dense", {"units": 4, "activation": "tanh", "use_bias": False}, [SEQUENCE]),
    Line("activation", {"activation": "softplus"}, [SEQUENCE]),
    Line("flatten", {}, [IMAGE]),
    Line("reshape", {"target_shape": [5, -1]}, [IMAGE]),
    Line("permute", {"dims": [2, 1]}, [SEQUENCE]),
    Line("permute", {"dims": [3, 1, 2]}, [IMAGE]),
    Line("repeat_vector", {"n": 4}),
    Line("cropping1d", {}, [SEQUENCE]),
    Line("cropping1d", {"cropping": [2, 0]}, [SEQUENCE]),
    Line("cropping2d", {}, [IMAGE]),
    Line("cropping2d", {"cropping": 1}, [IMAGE]),
    Line("cropping2d", {"cropping": [0, 2]}, [IMAGE]),
    Line("cropping2d", {"cropping": [[1, 0], [0, 2]]}, [IMAGE]),
    Line("cropping3d", {}, [(2, 4, 3, 5, 1)]),
    Line("cropping3d", {"cropping": [[1, 0], [0, 2], [0, 1]]}, [VOLUME]),
    Line("zero_padding1d", {}, [SEQUENCE]),
    Line("zero_padding1d", {"padding": [2, 0]}, [SEQUENCE]),
    Line("zero_padding3d", {}, [VOLUME]),
    Line("zero_padding3d", {"padding": [[1, 0], [0, 2], [0, 1]]}, [VOLUME]),
    Line("zero_padding3d", {"padding": [0, 1, 2]}, [VOLUME]),
    Line("up_sampling1d", {}, [SEQUENCE]),
    Line("up_sampling1d", {"size": 3}, [SEQUENCE]),
    Line("up_sampling3d", {}, [VOLUME]),
    Line("up_sampling3d", {"size": [1, 3, 2]}, [VOLUME]),
    Line("rescaling", {"scale": 0.5}, [IMAGE]),
    Line("rescaling", {"scale": [0.5, 2.0], "offset": [1.0, -1.0]}, [IMAGE]),
]

ACTIVATIONS = [
    Line("leaky_relu", {}, [SEQUENCE]),
    Line("leaky_relu", {"negative_slope": 0.1}, [SEQUENCE]),
    Line("elu", {}, [SEQUENCE]),
    Line("elu", {"alpha": 0.5}, [SEQUENCE]),
    Line("relu", {}, [SEQUENCE]),
    Line("relu", {"max_value": 1.0, "negative_slope": 0.2, "threshold": 0.25}, [SEQUENCE]),
    Line("softmax", {}, [SEQUENCE]),
    Line("softmax", {"axis": 1}, [SEQUENCE]),
    Line("softmax", {"axis": [1, 2]}, [IMAGE]),
    Line("prelu", {}, [SEQUENCE]),
    Line("prelu", {"shared_axes": [1, 2]}, [IMAGE]),
    Line("prelu", {"shared_axes": [1]}, [SEQUENCE]),
]

NOISE = [
    Line("dropout", {"rate": 0.5}, [SEQUENCE], random=True),
    Line("spatial_dropout1d", {"rate": 0.5}, [SEQUENCE], random=True),
    Line("spatial_dropout2d", {"rate": 0.5}, [IMAGE], random=True),
    Line("spatial_dropout3d", {"rate": 0.5}, [VOLUME], random=True),
    Line("gaussian_noise", {"stddev": 0.5}, [SEQUENCE], random=True),
    Line("gaussian_dropout", {"rate": 0.5}, [SEQUENCE], random=True),
    Line("alpha_dropout", {"rate": 0.5}, [SEQUENCE], random=True),
]

KERNEL: dict[str, Any] = {"filters": 2, "kernel_size": 3}
CONVOLUTIONS = [
    Line("depthwise_conv1d", {"kernel_size": 3}, [SEQUENCE]),
    Line("depthwise_conv1d", {"kernel_size": 2, "strides": 2, "padding": "same", "depth_multiplier": 2}, [SEQUENCE]),
    Line("separable_conv1d", {**KERNEL, "activation": "tanh"}, [SEQUENCE]),
    Line("separable_conv1d", {**KERNEL, "padding": "same", "dilation_rate": 2}, [SEQUENCE]),
    Line("separable_conv1d", {**KERNEL, "strides": 2, "depth_multiplier": 2, "padding": "same"}, [SEQUENCE]),
    Line("separable_conv2d", KERNEL, [IMAGE]),
    Line("separable_conv2d", {**KERNEL, "padding": "same", "depth_multiplier": 3, "use_bias": False}, [IMAGE]),
    Line("separable_conv2d", {**KERNEL, "padding": "same", "strides": 2}, [IMAGE]),
    Line("conv1d_transpose", KERNEL, [SEQUENCE]),
    Line("conv1d_transpose", {**KERNEL, "strides": 2, "padding": "same", "activation": "tanh"}, [SEQUENCE]),
    Line("conv1d_transpose", {**KERNEL, "strides": 2, "output_padding": 1}, [SEQUENCE]),
    Line("conv1d_transpose", {"filters": 2, "kernel_size": 2, "dilation_rate": 2, "padding": "same"}, [SEQUENCE]),
    Line("conv3d_transpose", {"filters": 2, "kernel_size": 2}, [(1, 2, 3, 2, 2)]),
    Line("conv3d_transpose", {**KERNEL, "strides": [1, 2, 1], "padding": "same"}, [(1, 2, 2, 3, 1)]),
    Line("conv3d_transpose", {"filters": 1, "kernel_size": [1, 2, 2], "strides": 2}, [(1, 2, 2, 1, 2)]),
]

NORMALIZATIONS = [
    Line("group_normalization", {"groups": 2}, [(2, 3, 4)]),
    Line("group_normalization", {"groups": 2, "epsilon": 0.1, "center": False}, [(2, 3, 2, 4)]),
    Line("group_normalization", {"groups": -1, "scale": False}, [IMAGE]),
    Line("group_normalization", {"groups": 2, "axis": 1}, [IMAGE]),
    Line("group_normalization", {"groups": 2, "axis": -2}, [(2, 3, 4, 2)]),
    Line("unit_normalization", {}, [SEQUENCE]),
    Line("unit_normalization", {"axis": [1, 2]}, [IMAGE]),
    *(
        Line(
            "spectral_normalization",
            {"layer": {"type": name, **arguments}, "power_iterations": count},
            [shape],
            made=layers.SpectralNormalization(getattr(layers, known)(**arguments), power_iterations=count),
            apart=("inferred",),  # Keras predicts with the kernel as it is stored, which depends on its backend
        )
        for name, known, arguments, shape, count in (
            ("dense", "Dense", {"units": 4}, SEQUENCE, 1),
            ("conv2d", "Conv2D", {"filters": 3, "kernel_size": 2}, IMAGE, 3),
        )
    ),
]

GROUPS = {
    "shapes": SHAPES,
    "activations": ACTIVATIONS,
    "noise": NOISE,
    "convolutions": CONVOLUTIONS,
    "normalizations": NORMALIZATIONS,
}


def main() -> None:
    content: dict[str, Any] = {
        "source": f"Keras {keras.__version__} on JAX {jax.__version__}, float64",
        "optimizer": "sgd",
        "rate": RATE,
    }
    content |= {name: [case(line) for line in lines] for name, lines in GROUPS.items()}
    text = json.dumps(content, indent=None, separators=(",", ":"))
    Path(__file__).with_name("keras_layers.json").write_text(text.replace('},{"part"', '},\n{"part"') + "\n")


if __name__ == "__main__":
    main()
