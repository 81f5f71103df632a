"""The rematerialize pass: a graph in, the same where large cheap values are made again for who reads them late out.

What a normalization over a batch hands to the next layer is read again by the backward pass, many barriers later. To be
there it goes out to the last cache, which takes as long as two reads of it. What it was made of, the values before they
were normalized, waits there anyway and is read at the same late time. So the late readers get a copy of their own, made
again of that: both live no longer than a few rows take, in the cache of a core. Padded copies are the same case.
"""

from __future__ import annotations

from typing import Any

from trainer_cli.compiler.kernels import LEAF_TENSORS, has_own_loop, is_inline
from trainer_cli.compiler.layout import ITEM_SIZE
from trainer_cli.compiler.recompute import CHEAP, ELSEWHERE
from trainer_cli.ir.graph import Graph, Value, reachable, readers_of, rewritten
from trainer_cli.ir.ops.structure import static_size

LEAST_BYTES = 1 << 18
"""Of a value in all: less stays in the cache until it is read."""

MOST_STEPS = 8
"""Operations from what lies in memory to a value that is made again."""

_STEPS = CHEAP | {"maximum", "minimum", "absolute", "select", "less", "less_equal"}


def rematerialize(graph: Graph, batch_size: int) -> Graph:
    """A new graph computing the same outputs and updates; the same one if nothing is made again."""
    finder = _Finder(graph, batch_size)
    if not finder.sources:
        return graph
    writer = _Writer(finder)
    return rewritten(graph, writer.rewrite)


class _Writer:
    """Hands each reader the value of its own time."""

    def __init__(self, finder: _Finder) -> None:
        self.finder = finder
        self.copies: dict[Value, Value] = {}
        self.made: dict[tuple[Value, int], Value] = {}

    def rewrite(self, value: Value, operands: tuple[Value, ...]) -> Value | None:
        self.copies.update(zip(value.operands, operands, strict=True))
        if is_inline(value):
            return None
        found = [self._at(operand, self.finder.time[value]) for operand in value.operands]
        if all(new is old for new, old in zip(found, operands, strict=True)):
            return None
        return found[0].graph.emit(value.op, found, **value.attributes)

    def _at(self, value: Value, time: int) -> Value:
        """What a reader of that time reads in place of a value."""
        key = (value, time)
        if key not in self.made:
            self.made[key] = self._made_at(value, time)
        return self.made[key]

    def _made_at(self, value: Value, time: int) -> Value:
        if value in self.finder.sources and self.finder.time[value] < time:
            # Who reads it where it computes the same element needs no memory for it.
            inline = {"recomputed": True} if self.finder.is_read_in_place(value, time) else {}
            return self._again(value, self.finder.sources[value], {"late": time, **inline})
        if is_inline(value) and value.operands:
            operands = [self._at(operand, time) for operand in value.operands]
            if any(new is not self.copies[old] for new, old in zip(operands, value.operands, strict=True)):
                return self.copies[value].graph.emit(value.op, operands, **value.attributes)
        return self.copies[value]

    def _again(self, value: Value, source: Value, marks: dict[str, Any]) -> Value:
        """A value and all that it is made of, from its source on."""
        if value is source:
            return self._at(value, marks["late"])
        if value.op == "broadcast":
            return self.copies[value]
        operands = [self._again(operand, source, marks) for operand in value.operands]
        return operands[0].graph.emit(value.op, operands, **{**value.attributes, **marks})


class _Finder:
    """The values of a graph that are made again, and of what. Time goes on with every sum over the batch."""

    def __init__(self, graph: Graph, batch_size: int) -> None:
        self.batch_size = batch_size
        self.time: dict[Value, int] = {}
        order = reachable(graph.roots())
        self.readers = readers_of(order)
        for value in order:
            self.time[value] = max((self.time[operand] + _ends(operand) for operand in value.operands), default=0)
        results = set(graph.roots())
        self.sources: dict[Value, Value] = {}
        for value in order:
            if value not in results and (source := self._source(value)) is not None:
                self.sources[value] = source

    def is_read_in_place(self, value: Value, time: int) -> bool:
        """Whether all readers of that time compute elements at the same place."""
        readers = [reader for reader in self._real_readers(value) if self.time[reader] == time]
        return value.op != "pad" and not any(has_own_loop(reader) or reader.op in ELSEWHERE for reader in readers)

    def _source(self, value: Value) -> Value | None:
        """What a value is made of again, if it is large, cheap and read late."""
        if not value.batched or value.dtype != "float" or is_inline(value) or has_own_loop(value):
            return None
        if static_size(value.shape) * self.batch_size * ITEM_SIZE["float"] < LEAST_BYTES:
            return None
        readers = self._real_readers(value)
        late = [reader for reader in readers if self.time[reader] > self.time[value]]
        if not late or any(_ends(reader) and reader.op != "subtotals" for reader in readers):
            return None
        source = self._origin(value)
        if source is None or max(self.time[reader] for reader in late) > self._last(source):
            return None
        return source

    def _origin(self, value: Value) -> Value | None:
        """The one large value in memory that a value is made of in a few steps."""
        if value.op == "pad":
            source = value.operands[0]
            return source if self._lies_in_memory(source) else None
        found: dict[Value, None] = {}
        waiting, steps = [value], 0
        while waiting:
            current = waiting.pop()
            if current.op == "broadcast":
                continue
            if current is not value and self._lies_in_memory(current):
                found[current] = None
                continue
            steps += 1
            if current.op not in _STEPS or current.shape != value.shape or steps > MOST_STEPS:
                return None
            waiting += current.operands
        if len(found) != 1:
            return None
        (source,) = found
        # Made at one time with its source, it would be made by the same kernel.
        return source if self.time[source] < self.time[value] else None

    def _lies_in_memory(self, value: Value) -> bool:
        """Whether a value is a leaf, or a loop of its own has made it or reads it."""
        return (
            value.op in LEAF_TENSORS
            or has_own_loop(value)
            or (not is_inline(value) and any(map(has_own_loop, self.readers[value])))
        )

    def _last(self, value: Value) -> int:
        """The time at which a value is read for the last time."""
        return max(self.time[reader] for reader in self._real_readers(value))

    def _real_readers(self, value: Value) -> list[Value]:
        """Those who read a value, itself or through what is computed wherever it is read."""
        found: dict[Value, None] = {}
        waiting = list(self.readers[value])
        while waiting:
            reader = waiting.pop()
            if is_inline(reader):
                waiting += self.readers[reader]
            else:
                found[reader] = None
        return list(found)


def _ends(value: Value) -> bool:
    """Whether a value is made of all rows of a batch: what reads it comes later."""
    return not value.batched and any(operand.batched for operand in value.operands)
