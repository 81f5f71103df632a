"""Convolution and its two adjoints, in one to three dimensions, channels last.

`convolve(x, kernel)`: x `(batch, *space, channels)`, kernel `(*window, channels / groups, filters)`. The three are one
trilinear form, so the gradient of each is made of the other two. A transposed convolution is the input gradient.
Attributes: `strides`, `dilation` per dimension, `padding` as (before, after) per dimension, `groups`. With `flat` the
kernel's gradient is a matrix `(taps · channels / groups, filters)`.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from trainer_cli.ir.graph import Value
from trainer_cli.ir.primitive import Array, Context, DType, Shape, define, require
from trainer_cli.lazy import np

FAMILY = "convolution"
GEOMETRY = ("strides", "padding", "dilation", "groups")


def output_extent(extent: int, window: int, stride: int, dilation: int, padding: tuple[int, int]) -> int:
    """The number of positions of a window along one dimension."""
    return (extent + sum(padding) - (window - 1) * dilation - 1) // stride + 1


def _space(shape: Shape) -> tuple[int, ...]:
    return tuple(int(extent) for extent in shape[1:-1])


def _check(x: Shape, kernel: Shape, attributes: Mapping[str, Any]) -> tuple[int, ...]:
    """The space of the result of convolving x with kernel."""
    dimensions = len(x) - 2
    require(1 <= dimensions <= 3 and len(kernel) == dimensions + 2, "one to three dimensions, channels last")
    for key in ("strides", "padding", "dilation"):
        require(len(attributes[key]) == dimensions, f"one entry of {key} per dimension")
    groups = attributes["groups"]
    require(
        min(*attributes["strides"], *attributes["dilation"], groups) >= 1, "strides, dilation and groups are positive"
    )
    require(all(min(pad) >= 0 for pad in attributes["padding"]), "padding is not negative")
    require(x[-1] == int(kernel[-2]) * groups, "channels do not fit the kernel")
    require(int(kernel[-1]) % groups == 0, "filters do not divide into groups")
    windows = tuple(int(extent) for extent in kernel[:-2])
    space = tuple(
        map(output_extent, _space(x), windows, attributes["strides"], attributes["dilation"], attributes["padding"])
    )
    require(all(extent > 0 for extent in space), "the window is larger than its input")
    return space


def _convolve_shape(operands: Sequence[Value], attributes: Mapping[str, Any]) -> tuple[Shape, DType]:
    x, kernel = operands
    require(x.dtype == kernel.dtype == "float", "operands are float")
    require(not kernel.batched, "a kernel has no batch axis")
    return (x.shape[0], *_check(x.shape, kernel.shape, attributes), kernel.shape[-1]), "float"


def _input_gradient_shape(operands: Sequence[Value], attributes: Mapping[str, Any]) -> tuple[Shape, DType]:
    adjoint, kernel = operands
    channels = int(kernel.shape[-2]) * attributes["groups"]
    shape: Shape = (adjoint.shape[0], *attributes["space"], channels)
    require(_check(shape, kernel.shape, attributes) == _space(adjoint.shape), "space does not fit")
    return shape, "float"


def _kernel_gradient_shape(operands: Sequence[Value], attributes: Mapping[str, Any]) -> tuple[Shape, DType]:
    x, adjoint = operands
    channels = int(x.shape[-1]) // attributes["groups"]
    shape: Shape = (*attributes["window"], channels, adjoint.shape[-1])
    require(_check(x.shape, shape, attributes) == _space(adjoint.shape), "window does not fit")
    matrix: Shape = (math.prod(attributes["window"]) * channels, adjoint.shape[-1])
    return matrix if attributes.get("flat") else shape, "float"


def _padded(x: Array, attributes: Mapping[str, Any]) -> Array:
    return np.pad(x, [(0, 0), *attributes["padding"], (0, 0)])


def _offsets(
    window: Sequence[int], space: Sequence[int], attributes: Mapping[str, Any]
) -> Iterator[tuple[tuple[int, ...], tuple[slice, ...]]]:
    """Each position within the window, and the part of the padded input that it meets."""
    for position in itertools.product(*map(range, window)):
        starts = [p * d for p, d in zip(position, attributes["dilation"], strict=True)]
        cuts = tuple(
            slice(start, start + (extent - 1) * stride + 1, stride)
            for start, extent, stride in zip(starts, space, attributes["strides"], strict=True)
        )
        yield position, (slice(None), *cuts, slice(None))


def _grouped(x: Array, groups: int) -> Array:
    """Split the last axis into (groups, channels of a group)."""
    return x.reshape(*x.shape[:-1], groups, x.shape[-1] // groups)


def _convolve_meaning(node: Value, context: Context, x: Array, kernel: Array) -> Array:
    a, shape = node.attributes, context.shape(node.shape)
    groups = a["groups"]
    result = np.zeros((*shape[:-1], groups, shape[-1] // groups), dtype=x.dtype)
    padded = _padded(x, a)
    for position, cut in _offsets(kernel.shape[:-2], shape[1:-1], a):
        taps = _grouped(kernel[position], groups)
        result += np.einsum("...gc,cgf->...gf", _grouped(padded[cut], groups), taps, optimize=True)
    return result.reshape(shape)


def _input_gradient_meaning(node: Value, context: Context, adjoint: Array, kernel: Array) -> Array:
    a, shape = node.attributes, context.shape(node.shape)
    groups = a["groups"]
    padded_space = tuple(extent + sum(pad) for extent, pad in zip(shape[1:-1], a["padding"], strict=True))
    padded = np.zeros((shape[0], *padded_space, groups, shape[-1] // groups), dtype=adjoint.dtype)
    split = _grouped(adjoint, groups)
    for position, cut in _offsets(kernel.shape[:-2], adjoint.shape[1:-1], a):
        taps = _grouped(kernel[position], groups)
        padded[cut] += np.einsum("...gf,cgf->...gc", split, taps, optimize=True)
    inner = tuple(slice(pad[0], pad[0] + extent) for pad, extent in zip(a["padding"], shape[1:-1], strict=True))
    return padded[(slice(None), *inner)].reshape(shape)


def _kernel_gradient_meaning(node: Value, context: Context, x: Array, adjoint: Array) -> Array:
    a, groups, window = node.attributes, node.attributes["groups"], node.attributes["window"]
    result = np.zeros((*window, x.shape[-1] // groups, groups, adjoint.shape[-1] // groups), dtype=x.dtype)
    padded, split = _padded(x, a), _grouped(adjoint, groups)
    for position, cut in _offsets(window, adjoint.shape[1:-1], a):
        taps = _grouped(padded[cut], groups)
        axes = list(range(taps.ndim - 2))
        flat = taps.reshape(-1, *taps.shape[len(axes) :]), split.reshape(-1, *split.shape[len(axes) :])
        result[position] = np.einsum("ngc,ngf->cgf", *flat, optimize=True)
    return result.reshape(context.shape(node.shape))


def _geometry(node: Value) -> dict[str, Any]:
    return {key: node.attributes[key] for key in GEOMETRY}


def _input_gradient(node: Value, adjoint: Value, kernel: Value, x: Value) -> Value:
    return node.graph.emit("convolve_input_gradient", (adjoint, kernel), space=_space(x.shape), **_geometry(node))


def _kernel_gradient(node: Value, x: Value, adjoint: Value, kernel: Value) -> Value:
    window = tuple(int(extent) for extent in kernel.shape[:-2])
    return node.graph.emit("convolve_kernel_gradient", (x, adjoint), window=window, **_geometry(node))


def _convolution(node: Value, x: Value, kernel: Value) -> Value:
    return node.graph.emit("convolve", (x, kernel), **_geometry(node))


def _convolve_gradient(node: Value, g: Value) -> tuple[Value, Value]:
    x, kernel = node.operands
    return _input_gradient(node, g, kernel, x), _kernel_gradient(node, x, g, kernel)


def _input_gradient_gradient(node: Value, g: Value) -> tuple[Value, Value]:
    adjoint, kernel = node.operands
    return _convolution(node, g, kernel), _kernel_gradient(node, g, adjoint, kernel)


def _kernel_gradient_gradient(node: Value, g: Value) -> tuple[Value, Value]:
    x, adjoint = node.operands
    return _input_gradient(node, adjoint, g, x), _convolution(node, x, g)


define("convolve", FAMILY, _convolve_shape, _convolve_meaning, _convolve_gradient)
define("convolve_input_gradient", FAMILY, _input_gradient_shape, _input_gradient_meaning, _input_gradient_gradient)
define("convolve_kernel_gradient", FAMILY, _kernel_gradient_shape, _kernel_gradient_meaning, _kernel_gradient_gradient)
