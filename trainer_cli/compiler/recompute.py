"""The recompute pass: a graph in, the same with marks on cheap values that are not worth their memory out.

A value that a reduction over the batch has made wait, such as `x − mean`, is read by several kernels behind barriers. A
processor subtracts a number for each channel from 16 elements in the time in which it fetches one of them from beyond
its caches: it is cheaper to read x, which lies in memory anyway, and to compute the value again wherever it is read
than to write it for that. What only a sum reads, such as the squares of `x − mean`, is computed within the sum, if all
that it is made of lies in memory anyway.
"""

from __future__ import annotations

from trainer_cli.compiler.kernels import LEAF_TENSORS, MAPPED, has_own_loop, is_inline, is_recomputed, is_row_reduction
from trainer_cli.ir.graph import Graph, Value, reachable, readers_of, rewritten

CHEAP = frozenset({"add", "subtract", "multiply", "negate"})

ELSEWHERE = MAPPED | {"reshape", "project", "stop_gradient"}
"""What reads an operand elsewhere than at the element that it computes, or hands it on."""


def recompute(graph: Graph) -> Graph:
    """A new graph computing the same outputs and updates; the same one if nothing is computed again."""
    again = _Finder(graph).again
    if not again:
        return graph

    def rewrite(value: Value, operands: tuple[Value, ...]) -> Value | None:
        if value not in again:
            return None
        return operands[0].graph.emit(value.op, operands, **value.attributes, recomputed=True)

    return rewritten(graph, rewrite)


class _Finder:
    """The values of a graph that are computed again."""

    def __init__(self, graph: Graph) -> None:
        self.order = reachable(graph.roots())
        self.readers = readers_of(self.order)
        # For each value a bit set of all that it is made of, by their places, and one of what has a loop of its own.
        self.mark = {value: 1 << place for place, value in enumerate(self.order)}
        self.origins: dict[Value, int] = {}
        self.loops = 0
        for value in self.order:
            origins = self.mark[value]
            for operand in value.operands:
                origins |= self.origins[operand]
            self.origins[value] = origins
            self.loops |= self.mark[value] if has_own_loop(value) else 0
        self.again: set[Value] = set()
        results = set(graph.roots())
        for value in self.order:
            known = value.op in CHEAP and not is_recomputed(value)
            cheap = known and value.dtype == "float" and value.batched and value.rank > 1
            if cheap and value not in results and (self._is_near(value) or self._is_summed_up(value)):
                self.again.add(value)

    def _is_near(self, value: Value) -> bool:
        """Whether all readers compute elements of their own, and all but numbers that repeat lies in memory anyway."""
        large = [operand for operand in dict.fromkeys(value.operands) if operand.op != "broadcast"]
        if len(large) != 1 or not self._lies_in_memory(large[0]):
            return False
        return not any(has_own_loop(reader) or reader.op in ELSEWHERE for reader in self.readers[value])

    def _is_summed_up(self, value: Value) -> bool:
        """Whether a value is only summed up, for every place in front or behind, and all that it is made of is near."""
        total, *others = self.readers[value]
        if others or total.op != "reduce_sum":
            return False
        places = value.shape[total.attributes["axes"][-1] + 1 :]

        def is_near(operand: Value) -> bool:
            if operand.op == "broadcast":
                return is_row_reduction(total) or operand.operands[0].shape in ((), places)
            if operand in self.again:
                return all(map(is_near, operand.operands))
            if operand.shape != value.shape or is_inline(operand):
                return False
            return self._lies_in_memory(operand) or self._outlasts(operand, value) or self._waits(operand, total)

        return all(map(is_near, value.operands))

    def _lies_in_memory(self, value: Value) -> bool:
        """Whether a value is a leaf, or a loop of its own reads it and so has it stored."""
        return value.op in LEAF_TENSORS or (not is_inline(value) and any(map(has_own_loop, self.readers[value])))

    def _outlasts(self, value: Value, reader: Value) -> bool:
        """Whether a loop of its own stands between a value and one that reads it, so that no kernel computes both."""
        between = self.origins[reader] & self.loops & ~self.origins[value]
        while between:
            place = between.bit_length() - 1
            if self.origins[self.order[place]] & self.mark[value]:
                return True
            between &= ~(1 << place)
        return False

    def _waits(self, value: Value, total: Value) -> bool:
        """Whether another reader of a value needs a sum that is made of it too: the value is kept until then."""
        return any(self.origins[reader] & self.mark[total] for reader in self.readers[value])
