"""The factor pass: a simplified graph in, one where sums that differ by a factor alone are taken once out.

`Σ a·c` is `c · Σ a` where c does not change along the axes of the sum. Where `Σ a` is computed anyway, that saves a
pass over all elements, and memory for `a·c`. Normalization over a batch is the case: beta's gradient is the sum of the
adjoints, the mean's that of the adjoints times a factor for each channel.
"""

from __future__ import annotations

from trainer_cli.compiler.simplify import simplify
from trainer_cli.ir import language as ir
from trainer_cli.ir.graph import Graph, Value, reachable, rewritten


def factor(graph: Graph) -> Graph:
    """A new graph computing the same outputs and updates; the same one if no two sums differ by a factor alone."""
    sums = {(value.operands[0], value.attributes["axes"]) for value in reachable(graph.roots()) if _is_sum(value)}
    factored = 0
    # What the new values stood for in the old graph.
    origin: dict[Value, Value] = {}

    def rewrite(value: Value, operands: tuple[Value, ...]) -> Value | None:
        nonlocal factored
        origin.update(zip(operands, value.operands, strict=True))
        if not _is_sum(value) or operands[0].op != "multiply":
            return None
        axes, product = value.attributes["axes"], operands[0]
        for summed, constant in (product.operands, product.operands[::-1]):
            if (origin.get(summed), axes) in sums and (factors := along_kept(constant, axes)) is not None:
                factored += 1
                return ir.reduce_sum(summed, axes) * ir.broadcast_to(factors, value.shape)
        return None

    result = rewritten(graph, rewrite)
    return simplify(result) if factored else graph  # equal sums are one again


def _is_sum(value: Value) -> bool:
    return value.op == "reduce_sum" and value.dtype == "float"


def along_kept(value: Value, axes: tuple[int, ...]) -> Value | None:
    """The numbers that a value repeats along these axes, as they broadcast with the sum; None if it has others."""
    if value.op != "broadcast":
        return None
    source = value.operands[0]
    lead = value.rank - source.rank
    if any(axis >= lead and source.shape[axis - lead] != 1 for axis in axes):
        return None
    kept = tuple(extent for axis, extent in enumerate(source.shape) if axis + lead not in axes)
    return ir.reshape(source, kept)
