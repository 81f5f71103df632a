"""The subtotal pass: a simplified graph and its batch size in, the same with long sums over rows in two steps out.

The gradient of a weight sums over all rows of a batch. Threads that share the weight each read everything that all of
them have computed for their rows, behind a barrier: activations and their adjoints, megabytes that have long left the
cache, or that lie in another core's. Where the weight is small beside them, each thread sums up its own rows instead,
a few at a time and as soon as they are there; the subtotals, which are few, are added behind the barrier.

Which rows a subtotal is made of follows from the batch alone, so that no bit depends on the threads.
"""

from __future__ import annotations

from trainer_cli.compiler.kernels import computes_terms
from trainer_cli.compiler.layout import ITEM_SIZE
from trainer_cli.compiler.partition import ROW_BLOCK
from trainer_cli.ir import language as ir
from trainer_cli.ir.graph import Graph, Value, reachable, rewritten
from trainer_cli.ir.ops.products import labels
from trainer_cli.ir.ops.structure import static_size

LEAST_BYTES = 1 << 18
"""Of what a sum reads in all: less stays in the cache until the barrier, and costs little to hand over."""

GAIN = 2
"""How many times as many floats as its subtotal the rows of one must have."""

HALF_BLOCK = ROW_BLOCK // 2
"""Rows of a subtotal where rows are long: fewer of them fill the cache."""

LONG = 4
"""How many times as many floats as the subtotal so few rows must have."""

_SUMS = ("contract", "convolve_kernel_gradient", "reduce_sum")


def subtotal(graph: Graph, batch_size: int) -> Graph:
    """A new graph computing the same outputs and updates. No bit depends on how many threads there will be."""
    if batch_size <= ROW_BLOCK or not any(_is_worth_it(value, batch_size) for value in reachable(graph.roots())):
        return graph

    def rewrite(value: Value, operands: tuple[Value, ...]) -> Value | None:
        if not _is_worth_it(value, batch_size):
            return None
        rows = _rows(value)
        own = {"sum": value.op, "rows": rows, "count": -(-batch_size // rows)}
        return ir.reduce_sum(operands[0].graph.emit("subtotals", operands, **own, **value.attributes), 0)

    return rewritten(graph, rewrite)


def _is_worth_it(value: Value, batch_size: int) -> bool:
    if value.op not in _SUMS or value.dtype != "float" or not value.shape or not _sums_over_rows(value):
        return False
    if computes_terms(value):
        return False
    row = _row(value)
    long = row * batch_size * ITEM_SIZE["float"] >= LEAST_BYTES
    return long and ROW_BLOCK * row >= GAIN * static_size(value.shape)


def _row(value: Value) -> int:
    """Floats of a row of what a sum reads."""
    return sum(static_size(operand.shape) for operand in value.operands)


def _rows(value: Value) -> int:
    """Rows of a subtotal."""
    return HALF_BLOCK if HALF_BLOCK * _row(value) >= LONG * static_size(value.shape) else ROW_BLOCK


def _sums_over_rows(value: Value) -> bool:
    if value.batched or not all(operand.batched for operand in value.operands):
        return False
    if value.op == "contract":
        a, b, result = labels(value.attributes["specification"])
        return a[0] == b[0] and a[0] not in result
    return True
