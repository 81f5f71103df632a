"""The unite pass: a graph with turned weights in, the same with the products of a loop's inputs inside of the loop out.

A recurrent layer multiplies its input of all steps at once and adds a step's part to the product of what it carries.
What comes out is several times as large as what goes in, and leaves the cache before its step reads it. Where both
weights lie side by side, tile by tile, a step multiplies its input and what it carries, side by side too, in one go.
Operands that no step reads, such as those products in the loop of the gradient, are left out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from trainer_cli.compiler.kernels import is_tiled
from trainer_cli.compiler.turn import ALONG, is_weight
from trainer_cli.ir import language as ir
from trainer_cli.ir.graph import Graph, Value, copy_into, reachable, readers_of, rewritten
from trainer_cli.ir.ops.loops import sliced
from trainer_cli.ir.ops.products import labels
from trainer_cli.ir.ops.structure import static_size

_MOST_FEATURES = 4
"""The most features of a step's input, in times of what a loop carries."""


@dataclass(frozen=True)
class _Drive:
    """The product of a loop's input at all steps: the input `(batch, time, features)`, its weight, and the bias."""

    input: Value
    weight: Value
    bias: Value | None


@dataclass(frozen=True)
class _Sum:
    """In a body: the sum of a step's part of a drive and of what is carried times a copy of a weight.

    `sequence` and `copy` are the positions of the drive and of the copy among the loop's operands.
    """

    value: Value
    carried: Value
    sequence: int
    copy: int


def unite(graph: Graph) -> Graph:
    """A new graph computing the same outputs and updates, some sums in another order."""
    trimmed = _trimmed(graph)
    values, roots = reachable(trimmed.roots()), set(trimmed.roots())
    readers = readers_of(values)
    found: dict[Value, _Sum] = {}
    for loop in values:
        for each in _sums(loop) if loop.op == "loop" else ():
            product = loop.operands[each.sequence]
            alone = product not in roots and readers[product] == [loop]
            if alone and _drive(product, loop.operands[each.copy]) is not None:
                found[loop] = each
    if not found:
        return trimmed

    def rewrite(value: Value, operands: tuple[Value, ...]) -> Value | None:
        return _united(value, operands, found[value]) if value in found else None

    return _trimmed(rewritten(trimmed, rewrite))


def _sums(loop: Value) -> Iterator[_Sum]:
    """The sums of a body to each of which a step brings its part of a sequence that nothing else reads."""
    a = loop.attributes
    results, position = a["results"], {parameter: n for n, parameter in enumerate(a["parameters"])}
    values = reachable(results)
    readers = readers_of(values)
    for value in values:
        for drive, product in (value.operands, value.operands[::-1]) if value.op == "add" else ():
            if product.op != "contract" or not is_tiled(product) or drive not in position or drive in results:
                continue
            left, right, result = labels(product.attributes["specification"])
            carried, copy = product.operands
            plain = left == result[0] + right[0] and right[1:] == result[1:] and len(result) == 2
            alone = product not in results and readers[drive] == readers[product] == [value]
            scanned = a["carries"] <= position[drive] < a["carries"] + a["sequences"]
            if plain and alone and scanned and copy in position:
                yield _Sum(value, carried, position[drive], position[copy])


def _drive(value: Value, copy: Value) -> _Drive | None:
    """The product that a sequence is, if its weight can stand below the one that a loop has a copy of."""
    bias = None
    if value.op == "add":
        value, repeated = sorted(value.operands, key=lambda operand: operand.op != "contract")
        bias = repeated.operands[0] if repeated.op == "broadcast" else None
        if bias is None or bias.shape != value.shape[-1:]:
            return None
    if value.op != "contract" or copy.op != "transpose" or copy.attributes["permutation"] != ALONG:
        return None
    left, right, result = labels(value.attributes["specification"])
    x, weight = value.operands
    rows = len(left) == 3 and left[:2] == result[:2] and right == left[2] + result[2:] and x.batched
    if not rows or not is_weight(weight) or static_size(weight.shape) > _MOST_FEATURES * static_size(copy.shape):
        return None
    return _Drive(x, weight, bias)


def _united(loop: Value, operands: tuple[Value, ...], sums: _Sum) -> Value:
    """The loop with the sum made by one product. What this leaves unread is still there."""
    a = loop.attributes
    graph, behind = operands[0].graph, a["carries"] + a["sequences"]
    copy = operands[sums.copy]
    drive = _drive(operands[sums.sequence], copy)
    assert drive is not None
    weights = (copy.operands[0], drive.weight)
    captured = [graph.emit("concatenate", weights, axis=0, private=True, tiled=True)]
    if drive.bias is not None:
        captured.append(drive.bias)
    given = [*operands[:behind], drive.input, *operands[behind:], *captured]
    places = [place if place < behind else place + 1 for place in range(len(operands))]

    def sum_of_all(parameters: list[Value], carried: Value) -> Value:
        both = ir.concatenate([carried, parameters[behind]], 1)
        factors = (both, parameters[-len(captured)])
        result = both.graph.emit("contract", factors, specification="bi,io->bo", tiled=True)
        return result + parameters[-1] if drive.bias is not None else result

    return _rebuilt(loop, given, places, a["sequences"] + 1, (sums, sum_of_all))


def _trimmed(graph: Graph) -> Graph:
    """The same without sequences and captured values of loops that no step reads."""

    def rewrite(loop: Value, operands: tuple[Value, ...]) -> Value | None:
        if loop.op != "loop":
            return None
        a = loop.attributes
        read = set(reachable(a["results"]))
        kept = [n for n, parameter in enumerate(a["parameters"]) if n < a["carries"] or parameter in read]
        sequences = sum(n < a["carries"] + a["sequences"] for n in kept) - a["carries"]
        places = [kept.index(n) if n in kept else None for n in range(len(operands))]
        return _rebuilt(loop, [operands[n] for n in kept], places, sequences)

    return rewritten(graph, rewrite)


def _rebuilt(
    loop: Value,
    operands: list[Value],
    places: Sequence[int | None],
    sequences: int,
    instead: tuple[_Sum, Callable[[list[Value], Value], Value]] | None = None,
) -> Value:
    """A loop over other operands, of which `places` says where the old ones are.

    `instead` has a sum of the body, and what gives another value for it, from the new parameters and what is carried.
    """
    a = loop.attributes
    body = Graph()
    stepwise = range(a["carries"], a["carries"] + sequences)
    parameters = [
        body.parameter(place, sliced(operand) if place in stepwise else operand.shape, operand.dtype)
        for place, operand in enumerate(operands)
    ]
    known = {a["parameters"][old]: parameters[new] for old, new in enumerate(places) if new is not None}

    def rewrite(value: Value, _: tuple[Value, ...]) -> Value | None:
        if instead is None or value is not instead[0].value:
            return None
        return instead[1](parameters, known[instead[0].carried])

    final = copy_into(body, reachable(a["results"]), known, rewrite)
    attributes: dict[str, Any] = {
        **a,
        "sequences": sequences,
        "parameters": tuple(parameters),
        "results": tuple(final[result] for result in a["results"]),
    }
    return operands[0].graph.emit("loop", operands, **attributes)
