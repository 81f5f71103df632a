"""Windows: sums and maxima over a moving window (pooling), channels last, each channel by itself.

Attributes per dimension: `window`, `strides`, `padding` as (before, after). Padding counts as 0 in a sum and never
wins a maximum.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from trainer_cli.ir import language as ir
from trainer_cli.ir.graph import Value
from trainer_cli.ir.ops.convolution import output_extent
from trainer_cli.ir.primitive import Array, Context, DType, Shape, define, require
from trainer_cli.lazy import np

FAMILY = "window"


def _pooled_shape(operands: Sequence[Value], attributes: Mapping[str, Any]) -> tuple[Shape, DType]:
    x = operands[0]
    window, strides, padding = attributes["window"], attributes["strides"], attributes["padding"]
    require(x.dtype == "float", "does not take " + x.dtype)
    require(len(window) == len(strides) == len(padding) == x.rank - 2, "one entry per dimension, channels last")
    require(min((*window, *strides)) >= 1, "windows and strides are positive")
    require(all(min(pad) >= 0 for pad in padding), "padding is not negative")
    require(all(max(pad) < size for pad, size in zip(padding, window, strict=True)), "a window of padding alone")
    space = tuple(
        output_extent(int(extent), size, stride, 1, pad)
        for extent, size, stride, pad in zip(x.shape[1:-1], window, strides, padding, strict=True)
    )
    require(all(extent > 0 for extent in space), "the window is larger than its input")
    return (x.shape[0], *space, x.shape[-1]), x.dtype


def _padded(x: Array, attributes: Mapping[str, Any], fill: float) -> Array:
    return np.pad(x, [(0, 0), *attributes["padding"], (0, 0)], constant_values=fill)


def _cuts(space: Sequence[int], attributes: Mapping[str, Any]) -> Iterator[tuple[slice, ...]]:
    """For each position within the window, the part of the padded input that it meets."""
    for position in itertools.product(*map(range, attributes["window"])):
        yield (
            slice(None),
            *(
                slice(start, start + (extent - 1) * stride + 1, stride)
                for start, extent, stride in zip(position, space, attributes["strides"], strict=True)
            ),
            slice(None),
        )


def _sum_meaning(node: Value, context: Context, x: Array) -> Array:
    padded, shape = _padded(x, node.attributes, 0), context.shape(node.shape)
    return np.asarray(sum(padded[cut] for cut in _cuts(shape[1:-1], node.attributes)), dtype=x.dtype)


def _max_meaning(node: Value, context: Context, x: Array) -> Array:
    padded, shape = _padded(x, node.attributes, -np.inf), context.shape(node.shape)
    return np.asarray(np.maximum.reduce([padded[cut] for cut in _cuts(shape[1:-1], node.attributes)]))


def _sum_gradient(node: Value, g: Value) -> tuple[Value]:
    """Spread the adjoint to the stride's distance and sum it over the mirrored window."""
    x, a = node.operands[0], node.attributes
    low, high = [0], [0]
    for axis, (size, stride, pad) in enumerate(zip(a["window"], a["strides"], a["padding"], strict=True), start=1):
        spread = (int(g.shape[axis]) - 1) * stride + 1
        low.append(size - 1 - pad[0])
        high.append(int(x.shape[axis]) + size - 1 - low[-1] - spread)
    interior = (0, *(stride - 1 for stride in a["strides"]), 0)
    spaced = ir.pad(g, (*low, 0), (*high, 0), interior)
    ones = tuple(1 for _ in a["window"])
    none = tuple((0, 0) for _ in a["window"])
    return (g.graph.emit("window_sum", (spaced,), window=a["window"], strides=ones, padding=none),)


def _max_gradient(node: Value, g: Value) -> tuple[Value]:
    return (g.graph.emit("window_max_gradient", (node.operands[0], node, g), **node.attributes),)


def _max_gradient_shape(operands: Sequence[Value], attributes: Mapping[str, Any]) -> tuple[Shape, DType]:
    x, result, adjoint = operands
    require(_pooled_shape((x,), attributes)[0] == result.shape == adjoint.shape, "operands do not fit the window")
    return x.shape, x.dtype


def _max_gradient_meaning(node: Value, context: Context, x: Array, result: Array, adjoint: Array) -> Array:
    # The first maximum of each window, in row-major order, receives its adjoint, as in TensorFlow and PyTorch.
    padded = _padded(x, node.attributes, -np.inf)
    gradient = np.zeros_like(padded)
    free = np.ones(result.shape, dtype=bool)
    for cut in _cuts(result.shape[1:-1], node.attributes):
        hit = free & (padded[cut] == result)
        gradient[cut] += np.where(hit, adjoint, 0)
        free &= ~hit
    inner = tuple(
        slice(pad[0], pad[0] + extent) for pad, extent in zip(node.attributes["padding"], x.shape[1:-1], strict=True)
    )
    return gradient[(slice(None), *inner)]


define("window_sum", FAMILY, _pooled_shape, _sum_meaning, _sum_gradient)
define("window_max", FAMILY, _pooled_shape, _max_meaning, _max_gradient)
define("window_max_gradient", FAMILY, _max_gradient_shape, _max_gradient_meaning)
