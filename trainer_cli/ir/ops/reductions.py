"""Reductions: a value in, the same value without some of its axes out. Attribute `axes`: ascending axis numbers.

A `reduce_max` with the attribute `ignore_nan` may be any number where an element is NaN: for what is NaN anyway then.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from trainer_cli.ir import language as ir
from trainer_cli.ir.graph import Value
from trainer_cli.ir.primitive import BATCH, Array, Context, DType, Shape, define, require
from trainer_cli.lazy import np

FAMILY = "reduction"


def _reduced_shape(operands: Sequence[Value], attributes: Mapping[str, Any]) -> tuple[Shape, DType]:
    (x,), axes = operands, attributes["axes"]
    require(list(axes) == sorted(set(axes)), "axes must ascend")
    require(bool(axes) and 0 <= axes[0] and axes[-1] < x.rank, f"axes {axes} do not fit rank {x.rank}")
    require(x.dtype in ("float", "int"), f"does not take {x.dtype}")
    return tuple(extent for axis, extent in enumerate(x.shape) if axis not in axes), x.dtype


def _expand(reduced: Value, node: Value) -> Value:
    """Broadcast a value of the reduction's shape back to its operand's shape."""
    x, axes = node.operands[0], node.attributes["axes"]
    kept: Shape = tuple(1 if axis in axes else extent for axis, extent in enumerate(x.shape))
    if 0 in axes and x.batched:
        # The batch axis is gone: what is left has no batch axis to keep, and broadcasting brings it back.
        kept = kept[1:]
    return ir.broadcast_to(ir.reshape(reduced, kept), x.shape)


def _sum_meaning(node: Value, context: Context, x: Array) -> Array:
    return np.asarray(np.sum(x, axis=node.attributes["axes"], dtype=x.dtype))


def _max_meaning(node: Value, context: Context, x: Array) -> Array:
    largest = np.fmax if node.attributes.get("ignore_nan") else np.maximum
    return np.asarray(largest.reduce(x, axis=node.attributes["axes"]))


def _max_gradient(node: Value, g: Value) -> tuple[Value]:
    # Ties share the gradient equally, as in TensorFlow and JAX.
    x = node.operands[0]
    winners = ir.cast(ir.equal(x, _expand(node, node)), "float")
    count = ir.reduce_sum(winners, node.attributes["axes"])
    return (winners * _expand(g / count, node),)


define("reduce_sum", FAMILY, _reduced_shape, _sum_meaning, lambda node, g: (_expand(g, node),))
define("reduce_max", FAMILY, _reduced_shape, _max_meaning, _max_gradient)


def _argmax_shape(operands: Sequence[Value], attributes: Mapping[str, Any]) -> tuple[Shape, DType]:
    (x,), axis = operands, attributes["axis"]
    require(axis == x.rank - 1 and x.shape[axis] is not BATCH, "argmax is taken over the last axis, not the batch's")
    require(x.dtype in ("float", "int"), f"does not take {x.dtype}")
    return (*x.shape[:axis], *x.shape[axis + 1 :]), "int"


def _argmax_meaning(node: Value, context: Context, x: Array) -> Array:
    return np.asarray(np.argmax(x, axis=node.attributes["axis"]), dtype=np.int32)


define("argmax", FAMILY, _argmax_shape, _argmax_meaning)
