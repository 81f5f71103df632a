"""The expand pass: a graph in, the same with each normalization as the sums and elementwise work behind it out.

Gradients come before it, so that they need its result alone; fusion comes behind it, and makes one kernel of its parts.
"""

from __future__ import annotations

from trainer_cli.ir.graph import Graph, Value, reachable, rewritten
from trainer_cli.ir.ops.normalizations import PARTS


def expand(graph: Graph) -> Graph:
    """A new graph computing the same outputs and updates; the same one if there is no normalization."""
    if not any(value.op in PARTS for value in reachable(graph.roots())):
        return graph

    def rewrite(value: Value, operands: tuple[Value, ...]) -> Value | None:
        return PARTS[value.op](*operands, **value.attributes) if value.op in PARTS else None

    return rewritten(graph, rewrite)
