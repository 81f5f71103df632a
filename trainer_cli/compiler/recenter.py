"""The recenter pass: a simplified graph in, the same with variances over a batch that need no mean of the batch out.

A normalization over the batch takes the squares of `x − mean`, and has to read all of x again once the mean is known.
A row of n numbers with the mean r has, around any center c, `Σ (x − c)² = Σ (x − r)² + n · (r − c)²`. The first sum can
be made right after the row itself, while that is in the cache. What waits for the mean of the batch is one number for
each row and channel.
"""

from __future__ import annotations

import math
from typing import NamedTuple

from trainer_cli.compiler.factor import along_kept
from trainer_cli.ir import language as ir
from trainer_cli.ir.graph import Graph, Value, reachable, rewritten


class _Variance(NamedTuple):
    """A sum of squares around a center: of what, along which axes of a row, and the sums of the rows themselves."""

    x: Value
    center: Value
    axes: tuple[int, ...]
    sums: Value


def recenter(graph: Graph) -> Graph:
    """A new graph computing the same outputs and updates; the same one if no sum of squares waits for a mean."""
    order = reachable(graph.roots())
    sums = {
        (value.operands[0], value.attributes["axes"]): value
        for value in order
        if value.op == "reduce_sum" and value.batched and value.attributes["axes"][0] > 0
    }
    found = {value: variance for value in order if (variance := _variance(value, sums)) is not None}
    if not found:
        return graph
    copies: dict[Value, Value] = {}

    def rewrite(value: Value, operands: tuple[Value, ...]) -> Value | None:
        copies.update(zip(value.operands, operands, strict=True))
        return _recentered(found[value], copies) if value in found else None

    return rewritten(graph, rewrite)


def _variance(value: Value, sums: dict[tuple[Value, tuple[int, ...]], Value]) -> _Variance | None:
    """The parts of a sum over the rows of a batch of the squares around numbers that are the same for all rows."""
    if value.op != "reduce_sum" or value.dtype != "float" or value.attributes["axes"] != (0,):
        return None
    inner = value.operands[0]
    if inner.op != "reduce_sum" or not inner.batched or inner.operands[0].op != "multiply":
        return None
    left, right = inner.operands[0].operands
    if left is not right or left.op != "subtract":
        return None
    x, center = left.operands
    axes = inner.attributes["axes"]
    known = sums.get((x, axes))
    # Otherwise the center is there before the rows, and nothing waits.
    if known is None or not _is_made_of(center, known):
        return None
    kept = along_kept(center, (0, *axes))
    return None if kept is None else _Variance(x, center, axes, known)


def _is_made_of(value: Value, part: Value) -> bool:
    return any(found is part for found in reachable([value]))


def _recentered(variance: _Variance, copies: dict[Value, Value]) -> Value:
    x, center, sums = copies[variance.x], copies[variance.center], copies[variance.sums]
    axes = variance.axes
    count = float(math.prod(int(x.shape[axis]) for axis in axes))
    own = sums * (1.0 / count)
    spread = tuple(1 if axis in axes else extent for axis, extent in enumerate(x.shape))
    apart = _again("subtract", x, ir.broadcast_to(ir.reshape(own, spread), x.shape))
    inside = ir.reduce_sum(_again("multiply", apart, apart), axes)
    kept = along_kept(center, (0, *axes))
    assert kept is not None
    away = _again("subtract", own, ir.broadcast_to(kept, own.shape))
    number = ir.broadcast_to(ir.constant(x.graph, count), own.shape)
    between = _again("multiply", _again("multiply", away, away), number)
    return ir.reduce_sum(_again("add", inside, between), 0)


def _again(op: str, *operands: Value) -> Value:
    """A value that is computed within the sum that it is a term of."""
    return operands[0].graph.emit(op, operands, recomputed=True)
