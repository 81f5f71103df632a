"""Column count, strides and an epilogue come in, a compiled matrix product over a range of rows goes out.

C[i, j] = Σ_k A[i·a_row + k·a_depth] · B[k·b_depth + j·b_column]. C is nobody's array: each finished tile is handed to
the epilogue while it is in the first-level cache, and the epilogue decides what becomes of it.
"""

from __future__ import annotations

from typing import Any

from trainer_cli.targets.cpu.ahead import ROWS_OF_A_COPY
from trainer_cli.targets.cpu.contraction import Triangle
from trainer_cli.targets.cpu.few_rows import FEW_ROWS, few_rows_product
from trainer_cli.targets.cpu.intrinsics import inline_attributes, offset, stack_floats
from trainer_cli.targets.cpu.linking import linked
from trainer_cli.targets.cpu.microkernel import HALF_PANEL, PANEL, Block, register_block
from trainer_cli.targets.cpu.tiles import DEPTH_BLOCK, panel_copy, tile_copy, tile_product
from trainer_cli.targets.cpu.triangle import triangle_product
from trainer_cli.targets.cpu.turned import pays_turned, turned_product

__all__ = ["PANEL", "product", "store_epilogue", "tiles"]

# Rows of a tile on the stack: with 32 columns 16 KiB, half of a small first-level cache.
ROW_BLOCK = 128

# Where rows of A are columns in memory, as for the gradient of a weight, a panel reads 32 bytes from each of many
# lines, which often fall into the same few sets of the first-level cache, and every tile of columns reads them again;
# and what finishes the gradient goes through a weight and its moments, which may lie in a further cache, 128 bytes of
# row after row. From so many tiles on, rows of up to WIDEST columns are finished, which the processor fetches ahead.
WIDE_TILES = 3
WIDEST = 512
WIDE_FLOATS = 1 << 15
# Rows of A are then copied panel by panel, if there are so many tiles or terms to use the copy.
TILES_OF_A_COPY = 5
TERMS_OF_A_COPY = 128
# Floats of a copy: 256 KiB of the second-level cache.
PANEL_FLOATS = 1 << 16

# Up to so many columns, rows whose last vector is not full are finished together where that is possible: a processor
# takes the last vector of a row, written under a mask, for whole, and what reads the next row waits until it is in the
# cache: 32 ns instead of 5 for each row of 10 columns that Adam updates. In longer rows that is little.
WIDEST_FLAT = 256


def product(
    *,
    columns: int,
    depth: int | None = None,
    a_row: int,
    a_depth: int,
    b_depth: int,
    b_column: int,
    epilogue: Any,
    lanes: int | None = None,
    in_tiles: bool = False,
    triangle: str | None = None,
    flat: bool = False,
) -> Any:
    """A jitted `f(begin, end, depth, a, b, arguments)` that computes rows begin … end - 1 of every column.

    All keywords are constants of the compilation; strides count elements. With `depth` given, the argument of that
    name is ignored. With `in_tiles`, B is what `tiles` makes of it. `triangle` is a `contraction.Triangle`; then
    row 0 is the first one of the square, wherever begin is. For each finished tile, of up to ROW_BLOCK rows,
    `epilogue(row, column, rows, columns, tile, tile_stride, arguments)` is called once, with a constant for `columns`.
    With `flat`, the epilogue goes through arrays whose rows follow each other as C's do, and asks nowhere which row or
    column it is at; then whole rows may be given to it as one row. No bit of C depends on begin, end or the vector
    width.
    """
    block = register_block(lanes)
    width = block.width
    flat = flat and columns % block.lanes != 0 and columns <= WIDEST_FLAT and not in_tiles and triangle is None
    wide = not in_tiles and triangle is None and a_row == 1 and a_depth != 1 and columns > (WIDE_TILES - 1) * width
    if wide or flat:
        strides = (a_row, a_depth), (b_depth, b_column)
        return _product_in_groups(block, columns, depth, *strides, epilogue, flat=flat, copies=wide)
    if in_tiles or triangle is not None:
        multiply = tile_product(block, columns, a_row, a_depth, b_depth, b_column, tile_row=width, in_tiles=in_tiles)
    else:
        b_floats = columns * (depth or 0)
        strides_of_b = b_depth, b_column
        multiply = _product_of_tiles(block, columns, a_row, a_depth, *strides_of_b, tile_row=width, b_floats=b_floats)
    if triangle is not None:
        copies = b_column != 1 or columns % block.lanes
        rows_together = ROWS_OF_A_COPY if copies else PANEL
        multiply = triangle_product(multiply, Triangle(triangle), width, rows_together, a_depth, b_depth)
    packed_floats = width * DEPTH_BLOCK
    # With triangles, panels may begin anywhere in the tile, and the last one takes half panels of rows.
    tile_floats = width * (ROW_BLOCK + HALF_PANEL)
    if not in_tiles and triangle is None and b_column == 1 and columns > width:
        multiply = _few_rows_apart(multiply, block, columns, a_row, a_depth, b_depth, tile_floats)
    else:
        multiply = _in_this_tile(multiply)
    known_depth = -1 if depth is None else depth
    rest = columns % width
    whole = columns - rest
    # Constant widths: the epilogue is compiled for them.
    finish_whole = epilogue.fixed({3: width, 5: width})
    finish_rest = epilogue.fixed({3: rest, 5: width})

    @linked
    def rows_times_columns(begin, end, depth, a, b, arguments):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
        if known_depth >= 0:
            depth = known_depth
        packed = stack_floats(packed_floats)
        tile = stack_floats(tile_floats)
        for first in range(begin, end, ROW_BLOCK):
            last = min(first + ROW_BLOCK, end)
            for column in range(0, whole, width):
                here = multiply(first, last, column, depth, a, b, packed, tile)
                finish_whole(first, column, last - first, width, here, width, arguments)
            if rest > 0:
                here = multiply(first, last, whole, depth, a, b, packed, tile)
                finish_rest(first, whole, last - first, rest, here, width, arguments)

    return rows_times_columns


def _in_this_tile(multiply: Any) -> Any:
    """A product of tiles that tells where it has put the rows."""

    @linked
    def multiply_here(first, last, column, depth, a, b, packed, tile):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
        inline_attributes()
        multiply(first, last, column, depth, a, b, packed, tile, 0)
        return tile

    return multiply_here


def _few_rows_apart(
    multiply: Any, block: Block, columns: int, a_row: int, a_depth: int, b_depth: int, tile_floats: int
) -> Any:
    """As `_in_this_tile`, but of few rows many tiles are computed together when the first of them is asked for."""
    strip = tile_floats // (FEW_ROWS * block.width) * block.width
    multiply_few = few_rows_product(block, columns, a_row, a_depth, b_depth, strip=strip)

    @linked
    def multiply_any(first, last, column, depth, a, b, packed, tile):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
        inline_attributes()
        if last - first > FEW_ROWS:
            multiply(first, last, column, depth, a, b, packed, tile, 0)
            return tile
        if column % strip == 0:
            multiply_few(last - first, column, depth, offset(a, first * a_row), b, tile)
        return offset(tile, column % strip * FEW_ROWS)

    return multiply_any


def _product_of_tiles(
    block: Block,
    columns: int,
    a_row: int,
    a_depth: int,
    b_depth: int,
    b_column: int,
    *,
    tile_row: int,
    b_floats: int = 0,
) -> Any:
    """As `tile_product`, but never with sums that go on; the last tile is turned where that pays."""
    if a_row != 1 or a_depth == 1 or not pays_turned(block, columns):
        strides = a_row, a_depth, b_depth, b_column
        return tile_product(block, columns, *strides, tile_row=tile_row, b_floats=b_floats)
    whole = columns - columns % block.width
    multiply = tile_product(block, whole, a_row, a_depth, b_depth, b_column, tile_row=tile_row)
    multiply_turned = turned_product(block, columns, a_depth, b_depth, b_column, tile_row=tile_row)

    @linked
    def multiply_last(first, last, column, depth, a, b, packed, tile, resume):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
        multiply_turned(first, last, depth, a, b, tile)

    @linked
    def multiply_any(first, last, column, depth, a, b, packed, tile, resume):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
        if column < whole:
            multiply(first, last, column, depth, a, b, packed, tile, 0)
        else:
            multiply_turned(first, last, depth, a, b, tile)

    return multiply_any if whole else multiply_last


def _rows_together(block: Block, columns: int) -> int:
    """The rows of a tile of so many columns: whole panels, and whole vectors of rows where they are turned."""
    step = max(PANEL, block.lanes)
    return min(ROW_BLOCK, WIDE_FLOATS // columns // step * step)


def _finish_flat(epilogue: Any) -> Any:
    """An epilogue for whole rows which are one to the one given."""
    of_one_row = epilogue.fixed({2: 1})

    @linked
    def finish(row, column, rows, columns, tile, tile_stride, arguments):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
        of_one_row(row, column, 1, rows * columns, tile, 0, arguments)

    return finish


def _product_in_groups(
    block: Block,
    columns: int,
    depth: int | None,
    a_strides: tuple[int, int],
    b_strides: tuple[int, int],
    epilogue: Any,
    *,
    flat: bool,
    copies: bool,
) -> Any:
    """As `product`, where several tiles of columns are finished together: up to WIDEST columns, or all if `flat`.

    With `copies`, rows of A lie next to each other and may be copied panel by panel. Apart from `product`, since every
    function takes compiling.
    """
    width = block.width
    tiles = -(-columns // width)
    group = columns if flat else min(WIDEST // width, tiles) * width
    rows_together = _rows_together(block, group)
    a_depth = a_strides[1]
    multiply = _product_of_tiles(block, columns, *a_strides, *b_strides, tile_row=group)
    multiply_copy = tile_product(block, columns, 1, PANEL, *b_strides, tile_row=group, in_panels=True)
    copy = panel_copy(a_depth)
    b_depth = b_strides[0]
    packed_floats, tile_floats = width * DEPTH_BLOCK, group * rows_together + (block.lanes if flat else 0)
    panel_floats = PANEL_FLOATS if copies else block.lanes
    part = PANEL_FLOATS // rows_together
    known_depth = -1 if depth is None else depth
    rest = columns % group
    whole = columns - rest
    finish_whole = _finish_flat(epilogue) if flat else epilogue.fixed({3: group, 5: group})
    finish_rest = epilogue.fixed({3: rest, 5: group}) if rest else finish_whole

    @linked
    def tiles_in_place(first, last, start, stop, depth, a, b, packed, panels, tile):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
        for column in range(start, stop, width):
            multiply(first, last, column, depth, a, b, packed, offset(tile, column - start), 0)

    @linked
    def tiles_from_copy(first, last, start, stop, depth, a, b, packed, panels, tile):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
        # A depth of 0 still has a part, an empty one.
        for term in range(0, max(depth, 1), part):
            terms = min(part, depth - term)
            if start == 0 or depth > part:
                copy(last - first, terms, offset(a, first + term * a_depth), panels)
            rows_of_b = offset(b, term * b_depth)
            for column in range(start, stop, width):
                here = offset(tile, column - start)
                multiply_copy(first, last, column, terms, panels, rows_of_b, packed, here, term > 0)

    @linked
    def tiles_by_depth(first, last, start, stop, depth, a, b, packed, panels, tile):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
        if depth >= TERMS_OF_A_COPY:
            tiles_from_copy(first, last, start, stop, depth, a, b, packed, panels, tile)
        else:
            tiles_in_place(first, last, start, stop, depth, a, b, packed, panels, tile)

    multiply_tiles = tiles_in_place
    if copies:
        multiply_tiles = tiles_from_copy if tiles >= TILES_OF_A_COPY else tiles_by_depth

    @linked
    def rows_times_columns(begin, end, depth, a, b, arguments):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
        if known_depth >= 0:
            depth = known_depth
        packed = stack_floats(packed_floats)
        tile = stack_floats(tile_floats)
        panels = stack_floats(panel_floats)
        for first in range(begin, end, rows_together):
            last = min(first + rows_together, end)
            for start in range(0, columns, group):
                multiply_tiles(first, last, start, min(start + group, columns), depth, a, b, packed, panels, tile)
                if start < whole:
                    finish_whole(first, start, last - first, group, tile, group, arguments)
                else:
                    finish_rest(first, whole, last - first, rest, tile, group, arguments)

    return rows_times_columns


def tiles(
    *,
    columns: int,
    depth: int,
    b_depth: int,
    b_column: int,
    first: int = 0,
    tile_depth: int | None = None,
    lanes: int | None = None,
) -> Any:
    """A jitted `f(b, tiles)` that copies B into the order in which `product` with `in_tiles` takes it.

    Of tiles with `tile_depth` rows, B is those from `first` on; all of them if it is not given.
    """
    block = register_block(lanes)
    copy = tile_copy(block, columns, depth, b_depth, b_column, tile_depth or depth)
    start = first * block.width

    @linked
    def copy_into_tiles(b, tiles):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
        copy(b, offset(tiles, start))

    return copy_into_tiles


def store_epilogue(c_row: int) -> Any:
    """An epilogue that stores into C, whose rows are `c_row` floats apart; its arguments are `(c,)`."""

    @linked
    def store(row, column, rows, columns, tile, tile_stride, arguments):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
        inline_attributes()
        c = offset(arguments[0], row * c_row + column)
        for i in range(rows):
            for j in range(columns):
                c[i * c_row + j] = tile[i * tile_stride + j]

    return store
