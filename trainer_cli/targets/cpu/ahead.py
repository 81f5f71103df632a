"""The strides and the size of B in, what decides whether its tiles are packed and asks for the next part of one out.

A product that packs a tile of B, part of the depth by part, waits for further caches whenever it packs, and leaves them
alone while it multiplies: 128 · 1024 · 1024 ran at 0.8 of the speed of 128 · 1024 · 128.
Asked for line by line between the terms of the sums, the next part is there when it is packed. All lines at once would
take every place where a core keeps what it waits for, and the rows of A would wait behind them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from llvmlite import ir

from trainer_cli.targets.cpu.intrinsics import call
from trainer_cli.targets.cpu.microkernel import PANEL, Block, constant

# A B of so many floats (512 KiB) is asked for ahead where it is packed.
ASKED_FLOATS = 1 << 17
# One of more (1 MiB) does not stay in a second-level cache and is always packed for so many rows: 16 · 1024 · 1024 runs
# at 107 GFLOP/s instead of 70, 16 · 512 · 512 would at 133 instead of 167.
FAR_FLOATS = 1 << 18
ROWS_OF_A_FAR_COPY = 2 * PANEL
# B is read where it lies, unless its rows are a multiple of this apart (2 KiB): they would all fall into a few sets of
# the first-level cache. Copying a tile then pays if so many rows use it: 32 · 1024 · 1024 runs at 0.70 of the peak
# instead of 0.40.
ALIASED_STRIDE = 512
ROWS_OF_A_COPY = 4 * PANEL

_LINE_FLOATS = 16
_BYTE_POINTER = ir.IntType(8).as_pointer()
_READ, _SECOND_LEVEL, _DATA = (ir.Constant(ir.IntType(32), number) for number in (0, 2, 1))


def rows_of_a_copy(b_depth: int, floats: int) -> int | None:
    """How many rows repay the copy of a tile of B, which has so many floats; None if it is read where it lies."""
    if floats > FAR_FLOATS:
        return ROWS_OF_A_FAR_COPY
    return ROWS_OF_A_COPY if b_depth % ALIASED_STRIDE == 0 else None


def part_ahead(block: Block, part: int, b_depth: int, b_column: int, floats: int) -> PartAhead | None:
    """The requests for parts of `part` rows of a tile; None if B is near, or lies in no lines that a part shares."""
    if floats < ASKED_FLOATS or 1 not in (b_depth, b_column):
        return None
    transposed = b_column != 1
    runs, run = (block.width, part) if transposed else (part, block.width)
    return PartAhead(block.rows, part, runs, max(1, run // _LINE_FLOATS), b_column if transposed else b_depth)


@dataclass(frozen=True)
class PartAhead:
    """Requests for a part of a tile: runs of neighbouring floats, `stride` floats apart, of so many lines each."""

    block_rows: int
    part: int
    runs: int
    lines_of_run: int
    stride: int

    def terms(self, builder: Any, rows: Any) -> Any:
        """The terms between two requests, so that so many rows ask for a whole part; at least one."""
        # Each block of rows goes through all terms of a part.
        blocks = builder.udiv(rows, constant(self.block_rows))
        terms = builder.udiv(builder.mul(blocks, constant(self.part)), constant(self.runs * self.lines_of_run))
        return builder.select(builder.icmp_signed(">", terms, constant(0)), terms, constant(1))

    def first_line(self, builder: Any, row: Any, terms: Any) -> Any:
        """The line that a panel from such a row on begins with."""
        return builder.mul(builder.udiv(row, constant(self.block_rows)), builder.udiv(constant(self.part), terms))

    def place(self, builder: Any, line: Any) -> Any:
        """How many floats behind the beginning of the part one of its lines begins."""
        run = builder.mul(builder.udiv(line, constant(self.lines_of_run)), constant(self.stride))
        return builder.add(run, builder.mul(builder.urem(line, constant(self.lines_of_run)), constant(_LINE_FLOATS)))

    def ask(self, builder: Any, lines: Any, line: Any) -> None:
        """Ask for one line of the part at `lines`, which shall come as far as the second-level cache."""
        pointer = builder.bitcast(builder.gep(lines, [self.place(builder, line)]), _BYTE_POINTER)
        suffix = "p0" if str(pointer.type) == "ptr" else "p0i8"
        call(builder, f"llvm.prefetch.{suffix}", ir.VoidType(), [pointer, _READ, _SECOND_LEVEL, _DATA])
