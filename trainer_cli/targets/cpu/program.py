"""Programs of a step: calls, loops and barriers in, the words that `runtime.run` interprets out.

A program is the part of a plan that is data. It names kernels by their units; their addresses are filled in when it is
loaded. Each thread has a memory of slots: the words of the plan's table, scalars that are computed anew for every step,
and places that move with time in loops. An argument of a kernel is a slot and a number to add to it.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import IntEnum


class Operation(IntEnum):
    """What an instruction does: its first word. The second one is the instruction's length."""

    CALL = 0
    COMPUTE = 1
    WAIT = 2
    LOOP = 3
    REPEAT = 4
    MOVE = 5
    CHECK = 6
    CHUNK = 7
    NEXT = 8
    LEAVE = 9


class Sharing(IntEnum):
    """How threads share a call: rows of the batch, slices of an axis, thread 0 alone, or every thread all of it."""

    ROWS = 0
    SLICES = 1
    SINGLE = 2
    PRIVATE = 3


@dataclass(frozen=True)
class Export:
    """A function that is called from outside, with `(begin, end, rows, address of words)`.

    It takes the words as `parameters` say, behind the first three: `float*`, `double*`, `int*`, `byte*` are pointers,
    `float`, `double`, `int`, `bool` numbers. Without any, it takes the address.
    """

    name: str = "entry"
    parameters: tuple[str, ...] | None = None


@dataclass(frozen=True)
class Unit:
    """The text of a module of native code, and the functions of it that are called from outside."""

    text: str
    exports: tuple[Export, ...] = (Export(),)


@dataclass(frozen=True)
class Argument:
    """The word of a slot, plus a number, less so many bytes for each row before a chunk if only its rows have room."""

    slot: int
    plus: int = 0
    row: int = 0


@dataclass(frozen=True)
class Move:
    """A slot that is set to an argument plus the time (or the number of the step) times a stride."""

    target: int
    source: Argument
    stride: int


@dataclass
class Program:
    """The instructions of a step. `functions` are the places of addresses of functions, by unit and name.

    `labels` says of places of instructions what they do, for tables.
    """

    words: list[int] = field(default_factory=list)
    functions: list[tuple[int, Unit, str]] = field(default_factory=list)
    labels: dict[int, str] = field(default_factory=dict)
    longest: int = 1
    # Of the loops that are being written, the places where their last turn ends.
    _leaves: list[list[int]] = field(default_factory=list)

    def call(
        self,
        unit: Unit,
        name: str,
        arguments: Sequence[Argument],
        sharing: Sharing,
        *,
        extent: int = 0,
        share: int = 0,
        block: int = 0,
        label: str = "",
    ) -> None:
        """Call a kernel for a thread's share: by blocks of `block`, or as a whole (0); slices by `share`."""
        self.labels[len(self.words)] = label or name
        self.longest = max(self.longest, len(arguments))
        places = [word for argument in arguments for word in (argument.slot, argument.plus, argument.row)]
        self._write(Operation.CALL, 0, int(sharing), extent, block, len(arguments), *places, share)
        self.functions.append((len(self.words) - len(places) - 6, unit, name))

    def compute(self, unit: Unit) -> None:
        """Compute the scalars of a step."""
        self.labels[len(self.words)] = "scalars"
        self._write(Operation.COMPUTE, 0)
        self.functions.append((len(self.words) - 1, unit, "entry"))

    def wait(self) -> None:
        self.labels[len(self.words)] = "barrier"
        self._write(Operation.WAIT)

    def move(self, move: Move) -> None:
        """Set a slot by the number of the step."""
        self._write(Operation.MOVE, *_words(move))

    def check(self, total: Argument) -> None:
        """End the slice behind this step if a total is no number."""
        self._write(Operation.CHECK, total.slot, total.plus)

    @contextmanager
    def loop(self, counter: int, length: int, reverse: bool, moves: Sequence[Move]) -> Iterator[None]:
        """Repeat what is written inside `length` times, with slots set by the time."""
        first, step = (length - 1, -1) if reverse else (0, 1)
        head = len(self.words)
        places = [word for move in moves for word in _words(move)]
        self._write(Operation.LOOP, counter, first, step, len(moves), *places)
        self._leaves.append([])
        yield
        self._write(Operation.REPEAT, len(self.words) - head, length)
        for place in self._leaves.pop():
            self.words[place + 2 : place + 5] = [place - head, length, len(self.words) - place]

    def leave(self) -> None:
        """In a loop: the last turn ends here."""
        self._leaves[-1].append(len(self.words))
        self._write(Operation.LEAVE, 0, 0, 0)

    @contextmanager
    def chunks(self, rows: int, *, backward: bool = False) -> Iterator[None]:
        """Do what is written inside for so many of a thread's rows at a time, from the first or from the last ones."""
        head = len(self.words)
        self._write(Operation.CHUNK, rows, int(backward))
        yield
        self._write(Operation.NEXT, len(self.words) - head, rows, int(backward))

    def _write(self, operation: Operation, *words: int) -> None:
        self.words += [int(operation), 2 + len(words), *words]


def _words(move: Move) -> tuple[int, int, int, int]:
    return move.target, move.source.slot, move.source.plus, move.stride


def double_word(number: float) -> int:
    """The bits of a double as a word."""
    return int(struct.unpack("<q", struct.pack("<d", number))[0])
