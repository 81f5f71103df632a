"""Structure: operations that move elements without computing any (reshape, transpose, broadcast, slice, pad, …)."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from trainer_cli.ir import language as ir
from trainer_cli.ir.graph import Value
from trainer_cli.ir.primitive import BATCH, Array, Context, DType, Shape, define, require
from trainer_cli.lazy import np

FAMILY = "structure"


def static_size(shape: Shape) -> int:
    """The number of elements, not counting the batch axis."""
    return math.prod(extent for extent in shape if isinstance(extent, int))


def _reshape_shape(operands: Sequence[Value], attributes: Mapping[str, Any]) -> tuple[Shape, DType]:
    (x,), shape = operands, attributes["shape"]
    require(x.batched == (bool(shape) and shape[0] is BATCH), "a reshape keeps the batch axis")
    require(static_size(x.shape) == static_size(shape), f"{x.shape} has not as many elements as {shape}")
    return tuple(shape), x.dtype


define(
    "reshape",
    FAMILY,
    _reshape_shape,
    lambda node, context, x: x.reshape(context.shape(node.shape)),
    lambda node, g: (ir.reshape(g, node.operands[0].shape),),
)


def _transpose_shape(operands: Sequence[Value], attributes: Mapping[str, Any]) -> tuple[Shape, DType]:
    (x,), permutation = operands, attributes["permutation"]
    require(sorted(permutation) == list(range(x.rank)), f"{permutation} is no permutation of {x.rank} axes")
    return tuple(x.shape[axis] for axis in permutation), x.dtype


define(
    "transpose",
    FAMILY,
    _transpose_shape,
    lambda node, context, x: np.transpose(x, node.attributes["permutation"]),
    lambda node, g: (ir.transpose(g, tuple(int(axis) for axis in np.argsort(node.attributes["permutation"]))),),
)


def _broadcast_shape(operands: Sequence[Value], attributes: Mapping[str, Any]) -> tuple[Shape, DType]:
    (x,), shape = operands, attributes["shape"]
    require(x.rank <= len(shape), f"{x.shape} does not broadcast to {shape}")
    for old, new in zip(reversed(x.shape), reversed(shape), strict=False):
        require(old == new or old == 1, f"{x.shape} does not broadcast to {shape}")
    return tuple(shape), x.dtype


def broadcast_axes(x: Shape, shape: Shape) -> tuple[int, ...]:
    """The axes of `shape` along which `x` is repeated."""
    lead = len(shape) - len(x)
    return tuple(axis for axis in range(len(shape)) if axis < lead or x[axis - lead] != shape[axis])


def _broadcast_gradient(node: Value, g: Value) -> tuple[Value]:
    x = node.operands[0]
    axes = broadcast_axes(x.shape, node.shape)
    return (ir.reshape(ir.reduce_sum(g, axes), x.shape) if axes else g,)


define(
    "broadcast",
    FAMILY,
    _broadcast_shape,
    lambda node, context, x: np.broadcast_to(x, context.shape(node.shape)),
    _broadcast_gradient,
)


def _slice_shape(operands: Sequence[Value], attributes: Mapping[str, Any]) -> tuple[Shape, DType]:
    (x,) = operands
    starts, stops, strides = attributes["starts"], attributes["stops"], attributes["strides"]
    require(len(starts) == len(stops) == len(strides) == x.rank, "one start, stop and stride per axis")
    shape: list[Any] = []
    for extent, start, stop, stride in zip(x.shape, starts, stops, strides, strict=True):
        if extent is BATCH:
            require((start, stop, stride) == (0, BATCH, 1), "the batch axis is not sliced")
            shape.append(BATCH)
        else:
            require(0 <= start < stop <= extent and stride > 0, f"slice {start}:{stop}:{stride} of extent {extent}")
            shape.append(-(-(stop - start) // stride))
    return tuple(shape), x.dtype


def _slice_meaning(node: Value, context: Context, x: Array) -> Array:
    a = node.attributes
    cuts = zip(a["starts"], a["stops"], a["strides"], strict=True)
    return x[tuple(slice(None) if stop is BATCH else slice(start, stop, stride) for start, stop, stride in cuts)]


def _slice_gradient(node: Value, g: Value) -> tuple[Value]:
    x, a = node.operands[0], node.attributes
    high = []
    for axis, extent in enumerate(x.shape):
        if extent is BATCH:
            high.append(0)
        else:
            last = a["starts"][axis] + (int(node.shape[axis]) - 1) * a["strides"][axis]
            high.append(int(extent) - 1 - last)
    return (ir.pad(g, a["starts"], tuple(high), tuple(stride - 1 for stride in a["strides"])),)


define("slice", FAMILY, _slice_shape, _slice_meaning, _slice_gradient)


def _pad_shape(operands: Sequence[Value], attributes: Mapping[str, Any]) -> tuple[Shape, DType]:
    (x,) = operands
    low, high, interior = attributes["low"], attributes["high"], attributes["interior"]
    require(len(low) == len(high) == len(interior) == x.rank, "one low, high and interior per axis")
    shape: list[Any] = []
    for extent, before, after, between in zip(x.shape, low, high, interior, strict=True):
        require(min(before, after, between) >= 0, "padding is not negative")
        if extent is BATCH:
            require((before, after, between) == (0, 0, 0), "the batch axis is not padded")
            shape.append(BATCH)
        else:
            shape.append(before + after + int(extent) + (int(extent) - 1) * between)
    return tuple(shape), x.dtype


def _interior(node: Value) -> tuple[slice, ...]:
    """Where the operand of a pad stands within the result."""
    a = node.attributes
    return tuple(
        slice(None) if extent is BATCH else slice(low, int(extent) - high, between + 1)
        for extent, low, high, between in zip(node.shape, a["low"], a["high"], a["interior"], strict=True)
    )


def _pad_meaning(node: Value, context: Context, x: Array) -> Array:
    result = np.full(context.shape(node.shape), node.attributes["fill"], dtype=x.dtype)
    result[_interior(node)] = x
    return result


def _pad_gradient(node: Value, g: Value) -> tuple[Value]:
    places = _interior(node)
    starts = tuple(place.start or 0 for place in places)
    stops = tuple(extent if place.stop is None else place.stop for extent, place in zip(g.shape, places, strict=True))
    strides = tuple(place.step or 1 for place in places)
    return (ir.slice_(g, starts, stops, strides),)


define("pad", FAMILY, _pad_shape, _pad_meaning, _pad_gradient)


def _concatenate_shape(operands: Sequence[Value], attributes: Mapping[str, Any]) -> tuple[Shape, DType]:
    axis, first = attributes["axis"], operands[0]
    require(0 <= axis < first.rank and first.shape[axis] is not BATCH, "not along the batch axis")
    for x in operands:
        require(x.rank == first.rank and x.dtype == first.dtype, "operands must have one rank and type")
        same = all(a == b for i, (a, b) in enumerate(zip(x.shape, first.shape, strict=True)) if i != axis)
        require(same, "operands may differ along the axis alone")
    extent = sum(int(x.shape[axis]) for x in operands)
    return (*first.shape[:axis], extent, *first.shape[axis + 1 :]), first.dtype


def _concatenate_gradient(node: Value, g: Value) -> list[Value]:
    axis, start, parts = node.attributes["axis"], 0, []
    for x in node.operands:
        stop = start + int(x.shape[axis])
        starts = tuple(start if i == axis else 0 for i in range(x.rank))
        stops = tuple(stop if i == axis else extent for i, extent in enumerate(g.shape))
        parts.append(ir.slice_(g, starts, stops))
        start = stop
    return parts


define(
    "concatenate",
    FAMILY,
    _concatenate_shape,
    lambda node, context, *xs: np.concatenate(xs, axis=node.attributes["axis"]),
    _concatenate_gradient,
)


def _reverse_shape(operands: Sequence[Value], attributes: Mapping[str, Any]) -> tuple[Shape, DType]:
    (x,) = operands
    require(all(0 <= axis < x.rank for axis in attributes["axes"]), f"axes {attributes['axes']} of rank {x.rank}")
    require(all(x.shape[axis] is not BATCH for axis in attributes["axes"]), "the batch axis is not reversed")
    return x.shape, x.dtype


define(
    "reverse",
    FAMILY,
    _reverse_shape,
    lambda node, context, x: np.flip(x, node.attributes["axes"]),
    lambda node, g: (ir.reverse(g, node.attributes["axes"]),),
)


def _iota_shape(operands: Sequence[Value], attributes: Mapping[str, Any]) -> tuple[Shape, DType]:
    shape, axis = attributes["shape"], attributes["axis"]
    require(0 <= axis < len(shape), f"axis {axis} of rank {len(shape)}")
    return tuple(shape), "int"


def _iota_meaning(node: Value, context: Context) -> Array:
    shape, axis = context.shape(node.shape), node.attributes["axis"]
    counts = np.arange(shape[axis], dtype=np.int32)
    return np.broadcast_to(counts.reshape([-1 if i == axis else 1 for i in range(len(shape))]), shape)


define("iota", FAMILY, _iota_shape, _iota_meaning)
