"""A transform of rows and where squares of numbers lie come in, an intrinsic that transforms them both ways goes out.

Winograd's convolution (Lavin and Gray, "Fast algorithms for convolutional neural networks", 2016, F(2 × 2, 3 × 3))
computes 2 × 2 positions from 4 × 4 places of the input. Kernel and input are transformed to 4 × 4 numbers each, whose
products are transformed back: 16 multiplications instead of 36. Each transform works on the columns of a square and
then on its rows, for all channels at once, and only adds, subtracts and halves.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from llvmlite import ir

from trainer_cli.targets.cpu.machine_types import FLOAT_POINTER, WORD, intrinsic
from trainer_cli.targets.cpu.microkernel import constant, load_vector, loop, separate_function, store_vector

_INDEX = ir.IntType(64)
_POINTER = ir.FloatType().as_pointer()
_ELEMENT_BYTES = 4

Line: TypeAlias = Callable[[Any, Sequence[Any]], list[Any]]
"""Writes with a builder the transform of one row of vectors."""


def input_line(builder: Any, d: Sequence[Any]) -> list[Any]:
    """4 places of the input."""
    return [builder.fsub(d[0], d[2]), builder.fadd(d[1], d[2]), builder.fsub(d[2], d[1]), builder.fsub(d[1], d[3])]


def kernel_line(builder: Any, g: Sequence[Any]) -> list[Any]:
    """3 taps of the kernel to 4 numbers."""
    outer = builder.fadd(g[0], g[2])
    return [g[0], _half(builder, builder.fadd(outer, g[1])), _half(builder, builder.fsub(outer, g[1])), g[2]]


def result_line(builder: Any, m: Sequence[Any]) -> list[Any]:
    """4 products to 2 positions of the result."""
    return [builder.fadd(builder.fadd(m[0], m[1]), m[2]), builder.fsub(builder.fsub(m[1], m[2]), m[3])]


def adjoint_line(builder: Any, g: Sequence[Any]) -> list[Any]:
    """2 positions of the result's adjoint to 4 numbers; the transpose of `result_line`."""
    return [g[0], builder.fadd(g[0], g[1]), builder.fsub(g[0], g[1]), builder.fneg(g[1])]


def gradient_line(builder: Any, s: Sequence[Any]) -> list[Any]:
    """4 sums of products to 3 taps of the kernel's gradient; the transpose of `kernel_line`."""
    both = _half(builder, builder.fadd(s[1], s[2]))
    return [builder.fadd(s[0], both), _half(builder, builder.fsub(s[1], s[2])), builder.fadd(both, s[3])]


def _half(builder: Any, value: Any) -> Any:
    return builder.fmul(value, ir.Constant(value.type, [0.5] * value.type.count))


@dataclass(frozen=True)
class Square:
    """Squares of `side` · `side` vectors: floats between rows of one and between its columns."""

    side: int
    row: int
    column: int

    def places(self) -> list[list[int]]:
        return [[i * self.row + j * self.column for j in range(self.side)] for i in range(self.side)]


def square_transform(
    lanes: int, channels: int, line: Line, source: Square, target: Square, *, partial: bool = False
) -> Any:
    """An intrinsic `(source, target, top, bottom, left, right)` that transforms the squares of all channels.

    Channels lie next to each other. With `partial` only the rows top … bottom - 1 and the columns left … right - 1 of
    the source lie in memory, the first of them at its address, and all others count as zeros; without, the last four
    arguments are ignored. No bit depends on the vector width.
    """

    def write(builder: Any, x: Any, y: Any, top: Any, bottom: Any, left: Any, right: Any) -> None:
        def number(place: int, start: Any, stop: Any, step: int) -> tuple[Any, Any]:
            """Whether a row or column lies in memory, and how far behind the first one."""
            begun = builder.icmp_signed(">=", constant(place), start)
            present = builder.and_(begun, builder.icmp_signed("<", constant(place), stop))
            return present, builder.mul(builder.sub(constant(place), start), constant(step))

        def load(i: int, j: int, first: Any, width: int) -> Any:
            if not partial:
                place = constant(i * source.row + j * source.column)
                return load_vector(builder, builder.gep(x, [builder.add(first, place)]), width)
            (row, down), (column, across) = rows[i], columns[j]
            present = builder.and_(row, column)
            place = builder.select(present, builder.add(down, across), constant(0))
            value = load_vector(builder, builder.gep(x, [builder.add(first, place)]), width)
            return builder.select(present, value, ir.Constant(value.type, [0.0] * width))

        sides = range(source.side)
        rows = [number(place, top, bottom, source.row) for place in sides] if partial else []
        columns = [number(place, left, right, source.column) for place in sides] if partial else []

        def part(first: Any, width: int) -> None:
            square = [[load(i, j, first, width) for j in sides] for i in sides]
            across = [line(builder, [row[j] for row in square]) for j in sides]
            results = [line(builder, [column[i] for column in across]) for i in range(target.side)]
            for values, places in zip(results, target.places(), strict=True):
                for value, place in zip(values, places, strict=True):
                    here = builder.gep(y, [builder.add(first, constant(place))])
                    store_vector(builder, value, here, _ELEMENT_BYTES)

        whole = channels - channels % lanes
        if whole:
            with loop(builder, constant(0), constant(whole), lanes) as first:
                part(first, lanes)
        width = lanes // 2
        while whole < channels:
            if channels - whole >= width:
                part(constant(whole), width)
                whole += width
            width //= 2

    kinds = [_POINTER, _POINTER, *[_INDEX] * 4]

    @intrinsic(FLOAT_POINTER, FLOAT_POINTER, *[WORD] * 4)
    def transform(builder: Any, *arguments: Any) -> None:
        builder.call(separate_function(builder.module, "transform", kinds, write), arguments)

    return transform
