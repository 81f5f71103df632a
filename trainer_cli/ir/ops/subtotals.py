"""Subtotals: a sum over the rows of a batch, taken apart into the sums over every few rows, one behind the other.

`subtotals(operands)` has the attribute `sum`, a primitive that sums over the batch axis (`contract`, `reduce_sum`,
`convolve_kernel_gradient`), and that primitive's own. It gives `(count, …)`, of which number i is what `sum` makes of
the rows from i · `rows` to (i + 1) · `rows`, and zero where there are none. Added up they are what `sum` makes of all.

Only passes write it, behind the gradient: it has no rule of its own for one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from trainer_cli.ir.graph import Value
from trainer_cli.ir.primitive import BATCH, TABLE, Array, Context, DType, Shape, define, require
from trainer_cli.lazy import np

OWN = ("sum", "rows", "count")


def summed(node: Value) -> Value:
    """The sum that a value is the subtotals of: a value that stands in no graph."""
    own, op = {key: value for key, value in node.attributes.items() if key not in OWN}, node.attributes["sum"]
    return Value(node.graph, node.index, op, node.operands, own, node.shape[1:], "float", node.layer)


def _shape(operands: Sequence[Value], attributes: Mapping[str, Any]) -> tuple[Shape, DType]:
    require(attributes["rows"] >= 1 and attributes["count"] >= 1, "rows and subtotals are counted from 1")
    require(all(operand.batched for operand in operands), "every operand has rows")
    shape, dtype = TABLE[attributes["sum"]].shape(operands, attributes)
    require(dtype == "float" and BATCH not in shape, "subtotals are of floats, and have no rows")
    return (attributes["count"], *shape), "float"


def _meaning(node: Value, context: Context, *operands: Array) -> Array:
    rows, sum_of = node.attributes["rows"], summed(node)
    result = np.zeros(context.shape(node.shape), operands[0].dtype)
    meaning = sum_of.primitive.meaning
    assert meaning is not None
    for number, first in enumerate(range(0, context.rows, rows)):
        part = [operand[first : first + rows] for operand in operands]
        result[number] = meaning(sum_of, context._replace(rows=len(part[0])), *part)
    return result


define("subtotals", "reduction", _shape, _meaning)
