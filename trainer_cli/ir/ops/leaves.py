"""Leaves of a graph: values that a step is given instead of computing them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from trainer_cli.ir.graph import LEAVES, Value
from trainer_cli.ir.primitive import Array, Context, DType, IRError, Shape, define
from trainer_cli.lazy import np


def _constant_shape(operands: Sequence[Value], attributes: Mapping[str, Any]) -> tuple[Shape, DType]:
    value = attributes["value"]
    return () if isinstance(value, (int, float)) else np.shape(value), attributes["dtype"]


def _constant_meaning(node: Value, context: Context) -> Array:
    return np.asarray(node.attributes["value"], dtype=context.dtype(node.dtype))


def _bound(operands: Sequence[Value], attributes: Mapping[str, Any]) -> tuple[Shape, DType]:
    raise IRError("leaves are made by the graph's own methods")


for _leaf in sorted(LEAVES - {"constant"}):
    define(_leaf, "leaf", _bound, None)
define("constant", "leaf", _constant_shape, _constant_meaning)
