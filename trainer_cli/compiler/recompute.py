"""The recompute pass: a graph in, the same with marks on cheap values that are not worth their memory out.

A value that a reduction over the batch has made wait, such as `x − mean`, is read by several kernels behind barriers. A
processor subtracts a number for each channel from 16 elements in the time in which it fetches one of them from beyond
its caches: it is cheaper to read x, which lies in memory anyway, and to compute the value again wherever it is read
than to write it for that. What only a sum reads, such as the squares of `x − mean`, is computed within the sum.
"""

from __future__ import annotations

from trainer_cli.compiler.kernels import LEAF_TENSORS, MAPPED, has_own_loop, is_inline, is_row_reduction
from trainer_cli.ir.graph import Graph, Value, reachable, rewritten

CHEAP = frozenset({"add", "subtract", "multiply", "negate"})

ELSEWHERE = MAPPED | {"reshape", "project", "stop_gradient"}
"""What reads an operand elsewhere than at the element that it computes, or hands it on."""


def recompute(graph: Graph) -> Graph:
    """A new graph computing the same outputs and updates; the same one if nothing is computed again."""
    again = _recomputed(graph)
    if not again:
        return graph

    def rewrite(value: Value, operands: tuple[Value, ...]) -> Value | None:
        if value not in again:
            return None
        return operands[0].graph.emit(value.op, operands, **value.attributes, recomputed=True)

    return rewritten(graph, rewrite)


def _recomputed(graph: Graph) -> set[Value]:
    order = reachable(graph.roots())
    readers: dict[Value, list[Value]] = {value: [] for value in order}
    for value in order:
        for operand in dict.fromkeys(value.operands):
            readers[operand].append(value)
    results = set(graph.roots())
    again: set[Value] = set()
    for value in order:
        cheap = value.op in CHEAP and value.dtype == "float" and value.batched and value.rank > 1
        if cheap and value not in results and (_is_near(value, readers) or _is_summed_up(value, readers, again)):
            again.add(value)
    return again


def _is_near(value: Value, readers: dict[Value, list[Value]]) -> bool:
    """Whether all readers compute elements of their own, and all but numbers that repeat lies in memory anyway."""
    large = [operand for operand in dict.fromkeys(value.operands) if operand.op != "broadcast"]
    if len(large) != 1 or not _lies_in_memory(large[0], readers):
        return False
    return not any(has_own_loop(reader) or reader.op in ELSEWHERE for reader in readers[value])


def _is_summed_up(value: Value, readers: dict[Value, list[Value]], again: set[Value]) -> bool:
    """Whether a value is only summed up, for each of its last places, and all that it is made of is near."""
    reader, *others = readers[value]
    if others or reader.op != "reduce_sum" or is_row_reduction(reader):
        return False
    places = value.shape[reader.attributes["axes"][-1] + 1 :]

    def is_near(operand: Value) -> bool:
        if operand.op == "broadcast":
            return operand.operands[0].shape in ((), places)
        if operand in again:
            return all(map(is_near, operand.operands))
        return operand.shape == value.shape and _lies_in_memory(operand, readers)

    return all(map(is_near, value.operands))


def _lies_in_memory(value: Value, readers: dict[Value, list[Value]]) -> bool:
    """Whether a value is a leaf, or a loop of its own reads it and so has it stored."""
    return value.op in LEAF_TENSORS or (not is_inline(value) and any(map(has_own_loop, readers[value])))
