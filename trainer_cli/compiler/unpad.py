"""The unpad pass: a graph in, the same without padded copies that only convolutions from squares read out.

`lower` gives the padding of a convolution to its input, which costs a copy. What transforms squares of places
(`geometry.Geometry.winograd_filters`) meets every place once, and can put zeros where there is none in memory.
"""

from __future__ import annotations

from trainer_cli.compiler.geometry import MOST_PADDING, Padding, geometry_of
from trainer_cli.ir.graph import Graph, Value, reachable, readers_of, rewritten
from trainer_cli.ir.ops.subtotals import summed


def unpad(graph: Graph) -> Graph:
    """A new graph computing the same outputs and updates; the same one if every copy stays."""
    values = reachable(graph.roots())
    readers = readers_of(values)
    roots = set(graph.roots())
    gone = {
        value: padding
        for value in values
        if value.op == "pad" and value not in roots and (padding := _padding(value)) is not None
        if all(_transforms_squares(reader, value) for reader in readers[value])
    }
    if not gone:
        return graph

    def rewrite(value: Value, operands: tuple[Value, ...]) -> Value | None:
        padding = gone.get(value.operands[0]) if value.operands else None
        if padding is None:
            return None
        attributes = {**value.attributes, "padding": padding}
        return operands[0].graph.emit(value.op, (operands[0].operands[0], *operands[1:]), **attributes)

    return rewritten(graph, rewrite)


def _padding(value: Value) -> Padding | None:
    """The zeros around each image, if there is nothing else in a padded copy."""
    a = value.attributes
    if value.rank != 4 or any(a["interior"]) or a["fill"] != 0.0:
        return None
    pads = tuple(zip(a["low"], a["high"], strict=True))
    if any(map(any, (pads[0], pads[-1]))) or not all(0 <= pad <= MOST_PADDING for side in pads for pad in side):
        return None
    return pads[1:-1]


def _transforms_squares(reader: Value, padded: Value) -> bool:
    """Whether a reader is a convolution, or subtotals of a kernel's gradient, that is computed from squares."""
    if reader.op == "subtotals" and reader.attributes["sum"] == "convolve_kernel_gradient":
        reader = summed(reader)
    elif reader.op != "convolve":
        return False
    return (
        reader.operands[0] is padded
        and padded not in reader.operands[1:]
        and geometry_of(reader).winograd_filters() > 0
    )
