"""What every pass must leave behind: a graph or schedule in, IRError for the first broken rule."""

from __future__ import annotations

from trainer_cli.ir.graph import LEAVES, Graph
from trainer_cli.ir.primitive import BATCH, require


def verify_graph(graph: Graph) -> None:
    """Check order, membership, shapes and types of every value, and that updates fit what they update.

    Raises IRError.
    """
    seen = set()
    for position, value in enumerate(graph.values):
        require(value.index == position, f"{value!r} stands at position {position}")
        require(value.graph is graph, f"{value!r} belongs to another graph")
        require(all(operand in seen for operand in value.operands), f"{value!r} reads what comes later")
        require(all(extent is not BATCH for extent in value.shape[1:]), f"{value!r} has a batch axis that is not first")
        if value.op not in LEAVES:
            shape, dtype = value.primitive.shape(value.operands, value.attributes)
            require((shape, dtype) == (value.shape, value.dtype), f"{value!r} should be {dtype} {shape}")
        seen.add(value)
    for name, value in {**graph.outputs, **graph.updates}.items():
        require(value in seen, f"{name} is not part of the graph")
    for name, value in graph.updates.items():
        leaf = graph.leaves("weight").get(name) or graph.leaves("state").get(name)
        require(leaf is None or leaf.shape == value.shape, f"the update of {name} has shape {value.shape}")
        require(not value.batched, f"the update of {name} has a batch axis")
