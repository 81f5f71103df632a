"""Products: `contract`, the sum of products of two operands over shared labels (matrix products of every kind)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from trainer_cli.ir import language as ir
from trainer_cli.ir.graph import Value
from trainer_cli.ir.primitive import Array, Context, Dimension, DType, Shape, define, require
from trainer_cli.lazy import np


def labels(specification: str) -> tuple[str, str, str]:
    """`"bi,io->bo"` → the labels of both operands and of the result."""
    operands, _, result = specification.partition("->")
    a, _, b = operands.partition(",")
    return a, b, result


def shared_label(node: Value) -> str:
    """The label of the result that threads share: its first one if `shared` names no other."""
    return str(node.attributes.get("shared", labels(node.attributes["specification"])[2][:1]))


def label_extents(node: Value) -> dict[str, Dimension]:
    """The extent behind every label of a contraction."""
    a, b, _ = labels(node.attributes["specification"])
    return dict(zip(a + b, node.operands[0].shape + node.operands[1].shape, strict=True))


def _shape(operands: Sequence[Value], attributes: Mapping[str, Any]) -> tuple[Shape, DType]:
    a, b, result = labels(attributes["specification"])
    require(len(operands) == 2, "takes 2 operands")
    x, y = operands
    require(x.dtype == y.dtype == "float", "operands are float")
    require(len(a) == x.rank and len(b) == y.rank, "one label per axis")
    extents: dict[str, Dimension] = {}
    for own, operand in ((a, x), (b, y)):
        require(len(set(own)) == len(own), "a label stands once per operand")
        for label, extent in zip(own, operand.shape, strict=True):
            require(extents.setdefault(label, extent) == extent, f"label {label} has two extents")
    require(len(set(result)) == len(result) and set(result) <= set(extents), "labels of the result come from operands")
    # A label in one place only would be a plain sum or a plain repetition: those are primitives of their own, and
    # without them the gradient of a contraction is a contraction.
    for label in extents:
        require((label in a) + (label in b) + (label in result) >= 2, f"label {label} stands in one place only")
    return tuple(extents[label] for label in result), "float"


def _meaning(node: Value, context: Context, x: Array, y: Array) -> Array:
    return np.asarray(np.einsum(node.attributes["specification"], x, y, optimize=True), dtype=x.dtype)


def _gradient(node: Value, g: Value) -> tuple[Value, Value]:
    a, b, result = labels(node.attributes["specification"])
    x, y = node.operands
    return ir.contract(f"{result},{b}->{a}", g, y), ir.contract(f"{a},{result}->{b}", x, g)


define("contract", "product", _shape, _meaning, _gradient)
