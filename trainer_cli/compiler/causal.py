"""The causal pass: a graph in, the same with marks on products of which nearly half comes to nothing out.

Where a place looks at itself and at what is before it alone, the shares above the diagonal of `(…, query, key)` are
zeros, and scores there are thrown away. A product that reads such shares, or whose result only they meet, gets the
attribute `triangle`: the labels of query and key. Terms with the key behind the query are zeros then, and elements
there may be any finite numbers. The gradient's own choice between scores and zeros finds zeros already, and goes.
"""

from __future__ import annotations

from typing import Any

from trainer_cli.compiler.simplify import scalar_constant
from trainer_cli.ir.graph import Graph, Value, reachable, readers_of, rewritten
from trainer_cli.ir.ops.products import labels

NEVER = -1e8
"""A score so low that e to its power is zero beside any other score of a network that still computes numbers."""

PASSING = frozenset({"add", "subtract", "multiply", "divide", "negate", "select"})
"""Work on elements that is finite where its operands are, but for divisions by zero."""


def causal(graph: Graph) -> Graph:
    """A new graph computing the same outputs and updates; the same one if nothing looks back alone."""
    order = reachable(graph.roots())
    if not any(value.op == "softmax" and _hides_later(value.operands[0]) for value in order):
        return graph
    triangles = _Triangles(order, set(graph.roots()))

    def rewrite(value: Value, operands: tuple[Value, ...]) -> Value | None:
        if value.op == "contract" and (places := triangles.places(value)) is not None:
            return operands[0].graph.emit("contract", operands, **value.attributes, triangle=places)
        if value.op == "select" and value.operands[1] in triangles.lower and _is_zero(value.operands[2]):
            return operands[1] if looks_back(value.operands[0]) else None
        return None

    return rewritten(graph, rewrite)


def looks_back(condition: Value) -> bool:
    """Whether a bool says of square `(…, query, key)` that the key's place is at the query's or before it."""
    if condition.op != "less_equal" or condition.rank < 2:
        return False
    key, query = condition.operands
    places = [each.attributes.get("axis") for each in (query, key) if each.op == "iota"]
    square = condition.shape[-1] == condition.shape[-2]
    return square and places == [condition.rank - 2, condition.rank - 1]


def _hides_later(scores: Value) -> bool:
    """Whether scores are so low above the diagonal, and there alone, that their shares are zeros."""
    if scores.op != "select" or not looks_back(scores.operands[0]):
        return False
    other = scalar_constant(scores.operands[2])
    return other is not None and other <= NEVER


def _is_zero(value: Value) -> bool:
    return scalar_constant(value) == 0.0


class _Triangles:
    """`lower` holds the values of a graph whose elements above the diagonal are zeros."""

    def __init__(self, order: list[Value], results: set[Value]) -> None:
        self.results = results
        self.readers = readers_of(order)
        self.lower: set[Value] = set()
        for value in order:
            if self._is_lower(value):
                self.lower.add(value)

    def _is_lower(self, value: Value) -> bool:
        operands = value.operands
        if value.op == "softmax":
            return value.attributes["axes"] == (value.rank - 1,) and _hides_later(operands[0])
        if value.op == "multiply":
            return any(operand in self.lower for operand in operands)
        if value.op in ("divide", "negate"):
            return operands[0] in self.lower
        if value.op in ("add", "subtract"):
            return all(operand in self.lower for operand in operands)
        return value.op == "select" and operands[1] in self.lower and _is_zero(operands[2])

    def places(self, product: Value) -> tuple[str, str] | None:
        """The labels of query and key of a product that need not be made above the diagonal; None for others."""
        *given, result = labels(product.attributes["specification"])
        for operand, own in zip(product.operands, given, strict=True):
            if operand in self.lower:
                return own[-2], own[-1]
        square = product.rank > 2 and product.shape[-1] == product.shape[-2]
        return (result[-2], result[-1]) if square and self._is_hidden(product) else None

    def _is_hidden(self, value: Value) -> bool:
        """Whether no result depends on the elements of a value above the diagonal, if they are finite."""
        return value not in self.results and all(self._hides(reader, value) for reader in self.readers[value])

    def _hides(self, reader: Value, value: Value) -> bool:
        operands = reader.operands
        if reader.op == "select" and looks_back(operands[0]) and value is not operands[2]:
            return True
        if reader.op == "multiply" and any(other in self.lower for other in operands if other is not value):
            return True
        divisor = reader.op == "divide" and value is operands[1]
        return reader.op in PASSING and not divisor and reader.shape == value.shape and self._is_hidden(reader)


def share_of(product: Value) -> float:
    """How much of a product's terms a mark leaves."""
    places: Any = product.attributes.get("triangle")
    if places is None:
        return 1.0
    extents = [value.shape[own.index(places[0])] for value, own in _labelled(product) if places[0] in own]
    return (int(extents[0]) + 1) / (2 * int(extents[0]))


def _labelled(product: Value) -> list[tuple[Value, str]]:
    return list(zip((*product.operands, product), labels(product.attributes["specification"]), strict=True))
