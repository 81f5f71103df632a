"""Indexing: rows of a table by number (gather), and its adjoint, sums of rows by number (scatter_add)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from trainer_cli.ir import language as ir
from trainer_cli.ir.graph import Value
from trainer_cli.ir.primitive import Array, Context, DType, Shape, define, require
from trainer_cli.lazy import np

FAMILY = "indexing"


def _gather_shape(operands: Sequence[Value], attributes: Mapping[str, Any]) -> tuple[Shape, DType]:
    table, indices = operands
    require(table.rank >= 1 and not table.batched, "the table has rows and no batch axis")
    require(indices.dtype == "int", "indices are int")
    return (*indices.shape, *table.shape[1:]), table.dtype


def _gather_gradient(node: Value, g: Value) -> tuple[Value, None]:
    table, indices = node.operands
    return ir.scatter_add(indices, g, int(table.shape[0])), None


define(
    "gather",
    FAMILY,
    _gather_shape,
    lambda node, context, table, indices: table[indices],
    _gather_gradient,
)


def _scatter_shape(operands: Sequence[Value], attributes: Mapping[str, Any]) -> tuple[Shape, DType]:
    indices, updates = operands
    require(indices.dtype == "int" and updates.dtype == "float", "indices are int, updates float")
    require(updates.shape[: indices.rank] == indices.shape, "updates have the shape of the indices, then of a row")
    return (attributes["size"], *updates.shape[indices.rank :]), updates.dtype


def _scatter_meaning(node: Value, context: Context, indices: Array, updates: Array) -> Array:
    result = np.zeros(context.shape(node.shape), dtype=updates.dtype)
    np.add.at(result, indices, updates)
    return result


define(
    "scatter_add",
    FAMILY,
    _scatter_shape,
    _scatter_meaning,
    lambda node, g: (None, ir.gather(g, node.operands[0])),
)
