"""The geometry of a convolution with 3 × 3 taps and an epilogue come in, compiled functions that multiply less go out.

As `convolution.py`, with 16 multiplications for 4 positions instead of 36 (`squares.py`). The squares of a few dozen
places are transformed, multiplied as 16 products of matrices and transformed back while they are in the cache: nothing
of it is seen outside. A square that would reach past the last position begins earlier, on positions that the one before
it has too; they are finished once.

The letters are those of Lavin and Gray: u is the transformed kernel, v the transformed input, m their products. d is
the transformed adjoint, s the sums of its products with v.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from trainer_cli.compiler.geometry import Geometry, Padding
from trainer_cli.targets.cpu.intrinsics import offset, stack_floats
from trainer_cli.targets.cpu.linking import linked
from trainer_cli.targets.cpu.microkernel import PANEL, Block, register_block
from trainer_cli.targets.cpu.squares import (
    Square,
    adjoint_line,
    gradient_line,
    input_line,
    kernel_line,
    result_line,
    square_transform,
)
from trainer_cli.targets.cpu.tiles import small_product

__all__ = ["winograd", "winograd_gradient"]

# Numbers that a square is transformed to.
NUMBERS = 16
# Squares that are in memory at the same time, and floats of their channels.
SQUARES = 32
SQUARE_FLOATS = 1 << 12
# Floats between what belongs to one number of the squares and the next: without them, all 16 that a square is
# transformed to would often fall into the same few sets of the first-level cache.
APART = 16


@linked
def _clear(floats, count):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    for i in range(count):
        floats[i] = np.float32(0.0)


@dataclass(frozen=True)
class _Division:
    """How the squares of an image are taken: in runs along a row of squares, several runs together."""

    geometry: Geometry
    block: Block

    @property
    def filters(self) -> int:
        """Filters that are taken together."""
        return self.geometry.winograd_filters()

    @property
    def padded(self) -> int:
        """The same in whole vectors. What stands behind the last filter is multiplied too."""
        return -(-self.filters // self.block.lanes) * self.block.lanes

    @property
    def squares(self) -> int:
        """Squares that are wanted in memory at the same time."""
        return max(PANEL, min(SQUARES, SQUARE_FLOATS // self.geometry.channels))

    @property
    def across(self) -> int:
        """Squares of a row."""
        return -(-self.geometry.positions[1] // 2)

    @property
    def pieces(self) -> int:
        """Runs of a row."""
        return -(-self.across // self.squares)

    @property
    def run(self) -> int:
        """Squares of a run; the last of a row may have fewer."""
        return -(-self.across // self.pieces)

    @property
    def runs(self) -> int:
        """Runs of an image."""
        return -(-self.geometry.positions[0] // 2) * self.pieces

    @property
    def together(self) -> int:
        """Runs that are taken together: not too many, and the squares of all fill panels, if that can be."""
        least = -(-self.squares // self.run)
        numbers = range(least, max(least, 2 * self.squares // self.run) + 1)
        return min(numbers, key=lambda number: -(number * self.run) % PANEL)

    @property
    def all_filters(self) -> int:
        """Filters of all groups."""
        return self.geometry.filters * self.geometry.groups

    def taps(self) -> Square:
        """A kernel, or the gradient of one."""
        tap = self.geometry.channels * self.all_filters
        return Square(3, 3 * tap, tap)

    def numbers(self, vectors: int, width: int) -> Square:
        """What squares are transformed to: number by number, and for each so many vectors of this width."""
        floats = vectors * width + APART
        return Square(4, 4 * floats, floats)

    def inputs(self, target: Square) -> Any:
        """A linked `f(begin, end, x, target)` that transforms the squares of some runs and gives their number."""
        geometry = self.geometry
        channels, place_floats = geometry.channels, geometry.channels * geometry.groups
        height, width = geometry.held
        above, before = (pad[0] for pad in geometry.padding or ((0, 0), (0, 0)))
        image_floats, row_floats = geometry.image, width * place_floats
        runs, pieces, run, across = self.runs, self.pieces, self.run, self.across
        last_row, last_place = geometry.positions[0] - 2, geometry.positions[1] - 2
        source = Square(4, row_floats, place_floats)
        transform = square_transform(self.block.lanes, channels, input_line, source, target)

        @linked
        def inner(x, y, place, target):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
            transform(offset(x, y * row_floats + place * place_floats), target, 0, 4, 0, 4)

        one = inner
        if geometry.padding:
            at_edge = square_transform(self.block.lanes, channels, input_line, source, target, partial=True)

            @linked
            def anywhere(x, y, place, target):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
                top, bottom = max(above - y, 0), min(above + height - y, 4)
                left, right = max(before - place, 0), min(before + width - place, 4)
                here = offset(x, max(y - above, 0) * row_floats + max(place - before, 0) * place_floats)
                if bottom - top + right - left == 8:
                    transform(here, target, 0, 4, 0, 4)
                else:
                    at_edge(here, target, top, bottom, left, right)

            one = anywhere

        @linked
        def transform_inputs(begin, end, x, target):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
            count = 0
            for number in range(begin, end):
                y = min(number % runs // pieces * 2, last_row)
                first = number % pieces * run
                image = offset(x, number // runs * image_floats)
                for square in range(first, min(first + run, across)):
                    one(image, y, min(2 * square, last_place), offset(target, count * channels))
                    count += 1
            return count

        return transform_inputs

    def adjoints(self, target: Square) -> Any:
        """The same of the result's adjoint; a position that two squares have counts for the first."""
        geometry, padded = self.geometry, self.padded
        height, width = geometry.positions
        place_floats, row_floats, image_floats = self.all_filters, width * self.all_filters, height * width
        image_floats *= place_floats
        runs, pieces, run, across = self.runs, self.pieces, self.run, self.across
        last_row, last_place = height - 2, width - 2
        source, overlap = Square(2, row_floats, place_floats), height % 2 + width % 2 > 0
        transform = square_transform(self.block.lanes, self.filters, adjoint_line, source, target, partial=overlap)

        @linked
        def transform_adjoints(begin, end, adjoint, target):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
            count = 0
            for number in range(begin, end):
                y = number % runs // pieces * 2
                top = y - min(y, last_row)
                first = number % pieces * run
                line = offset(adjoint, number // runs * image_floats + y * row_floats)
                for square in range(first, min(first + run, across)):
                    place = 2 * square
                    left = place - min(place, last_place)
                    here, there = offset(line, place * place_floats), offset(target, count * padded)
                    transform(here, there, top, 2, left, 2)
                    count += 1

        return transform_adjoints

    def results(self, source: Square, epilogue: Any) -> Any:
        """A linked `f(begin, end, column, source, lines, arguments)` that finishes the positions of some runs."""
        geometry, filters, padded = self.geometry, self.filters, self.padded
        height, width = geometry.positions
        runs, pieces, run, across = self.runs, self.pieces, self.run, self.across
        last_row, last_place, positions, line_floats = height - 2, width - 2, height * width, self.line_floats
        lines = Square(2, line_floats, padded)
        transform = square_transform(self.block.lanes, filters, result_line, source, lines)
        # Constant widths: the epilogue is compiled for them.
        finish = epilogue.fixed({3: filters, 5: padded})

        @linked
        def transform_results(begin, end, column, source, lines, arguments):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
            count = 0
            for number in range(begin, end):
                wanted = number % runs // pieces * 2
                y = min(wanted, last_row)
                first = number % pieces * run
                stop = min(first + run, across)
                start = min(2 * first, last_place)
                for square in range(first, stop):
                    there = offset(lines, (min(2 * square, last_place) - start) * padded)
                    transform(offset(source, count * padded), there, 0, 4, 0, 4)
                    count += 1
                rows = min(2 * stop, width) - 2 * first
                for line in range(wanted - y, 2):
                    position = number // runs * positions + (y + line) * width + 2 * first
                    here = offset(lines, line * line_floats + (2 * first - start) * padded)
                    finish(position, column, rows, filters, here, padded, arguments)

        return transform_results

    @property
    def line_floats(self) -> int:
        """Floats of the positions of a run in one row of the result."""
        return 2 * self.run * self.padded


def _division(
    space: tuple[int, int], channels: int, filters: int, groups: int, padding: Padding, lanes: int | None
) -> _Division:
    geometry = Geometry(space, (3, 3), (1, 1), (1, 1), channels, filters, groups, padding)
    return _Division(geometry, register_block(lanes))


def winograd(
    space: tuple[int, int],
    channels: int,
    filters: int,
    groups: int,
    *,
    padding: Padding = (),
    epilogue: Any,
    lanes: int | None = None,
) -> Any:
    """As `convolution.convolution`: a jitted `f(begin, end, group, x, kernel, arguments)` for some images.

    `space` counts the `padding` too, which does not lie in memory.
    """
    division = _division(space, channels, filters, groups, padding, lanes)
    together, runs, columns, padded = division.together, division.runs, division.filters, division.padded
    most = together * division.run
    v_square, m_square = division.numbers(most, channels), division.numbers(most, padded)
    u_square = division.numbers(channels, padded)
    transform_inputs = division.inputs(v_square)
    transform_kernel = square_transform(division.block.lanes, columns, kernel_line, division.taps(), u_square)
    transform_results = division.results(m_square, epilogue)
    multiply = small_product(division.block, padded, channels, 1)
    v_floats, u_floats, m_floats = v_square.column, u_square.column, m_square.column
    all_v, all_u, all_m = NUMBERS * v_floats, NUMBERS * u_floats, NUMBERS * m_floats
    both_lines, all_filters = 2 * division.line_floats, division.all_filters

    @linked
    def convolve(begin, end, group, x, kernel, arguments):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
        v = stack_floats(all_v)
        u = stack_floats(all_u)
        m = stack_floats(all_m)
        lines = stack_floats(both_lines)
        if padded > columns:
            _clear(u, all_u)
        for column in range(0, filters, columns):
            for channel in range(channels):
                taps = offset(kernel, channel * all_filters + group * filters + column)
                transform_kernel(taps, offset(u, channel * padded), 0, 3, 0, 3)
            for start in range(begin * runs, end * runs, together):
                stop = min(start + together, end * runs)
                count = transform_inputs(start, stop, offset(x, group * channels), v)
                for number in range(NUMBERS):
                    a, b = offset(v, number * v_floats), offset(u, number * u_floats)
                    multiply(count, channels, a, b, offset(m, number * m_floats), 0)
                transform_results(start, stop, column, m, lines, arguments)

    return convolve


def winograd_gradient(
    space: tuple[int, int],
    channels: int,
    filters: int,
    groups: int,
    *,
    padding: Padding = (),
    lanes: int | None = None,
) -> Any:
    """As `convolution.kernel_gradient`: a jitted `f(begin, end, rows, group, x, adjoint, result)`.

    It computes all rows of the kernel's gradient whatever `begin` and `end` say, which are those of the whole. The
    order of its sums follows from the geometry.
    """
    division = _division(space, channels, filters, groups, padding, lanes)
    together, runs, columns, padded = division.together, division.runs, division.filters, division.padded
    most = together * division.run
    v_square, d_square = division.numbers(most, channels), division.numbers(most, padded)
    s_square = division.numbers(channels, padded)
    transform_inputs, transform_adjoints = division.inputs(v_square), division.adjoints(d_square)
    transform_sums = square_transform(division.block.lanes, columns, gradient_line, s_square, division.taps())
    multiply = small_product(division.block, padded, 1, channels)
    v_floats, d_floats, s_floats = v_square.column, d_square.column, s_square.column
    all_v, all_d, all_s = NUMBERS * v_floats, NUMBERS * d_floats, NUMBERS * s_floats
    all_filters = division.all_filters

    @linked
    def gradient(begin, end, rows, group, x, adjoint, result):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
        v = stack_floats(all_v)
        d = stack_floats(all_d)
        s = stack_floats(all_s)
        if padded > columns:
            _clear(d, all_d)
        for column in range(0, filters, columns):
            _clear(s, all_s)
            for start in range(0, rows * runs, together):
                stop = min(start + together, rows * runs)
                count = transform_inputs(start, stop, offset(x, group * channels), v)
                transform_adjoints(start, stop, offset(adjoint, group * filters + column), d)
                for number in range(NUMBERS):
                    a, b = offset(v, number * v_floats), offset(d, number * d_floats)
                    multiply(channels, count, a, b, offset(s, number * s_floats), 1)
            for channel in range(channels):
                taps = offset(result, channel * all_filters + group * filters + column)
                transform_sums(offset(s, channel * padded), taps, 0, 4, 0, 4)

    return gradient
