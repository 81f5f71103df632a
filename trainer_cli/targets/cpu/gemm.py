"""Column count, strides and an epilogue come in, a compiled matrix product over a range of rows goes out.

C[i, j] = Σ_k A[i·a_row + k·a_depth] · B[k·b_depth + j·b_column]. C is nobody's array: each finished tile is handed to
the epilogue while it is in the first-level cache, and the epilogue decides what becomes of it.
"""

from __future__ import annotations

from typing import Any

from trainer_cli.targets.cpu.intrinsics import inline_attributes, offset, out_of_line, stack_floats
from trainer_cli.targets.cpu.linking import linked
from trainer_cli.targets.cpu.microkernel import PACKED_ROWS, PANEL, pack_tile, panel_product, register_block

__all__ = ["PANEL", "product", "store_epilogue"]

# A packed tile of B takes DEPTH_BLOCK (128) rows of it: with 32 columns 16 KiB, half of a small first-level cache.
DEPTH_BLOCK = 8 * PACKED_ROWS
# Rows whose tiles wait on the stack between two depth blocks.
ROW_BLOCK = 128
# B is read where it lies, unless its rows are a multiple of this apart (2 KiB): they would all fall into a few sets of
# the first-level cache. Copying a tile then pays if twice as many rows use it as it has columns.
ALIASED_STRIDE = 512


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
) -> Any:
    """A jitted `f(begin, end, depth, a, b, arguments)` that computes rows begin … end - 1 of every column.

    All keywords are constants of the compilation; strides count elements. With `depth` given, the argument of that
    name is ignored. `begin` is a multiple of PANEL. For each finished tile `epilogue(row, column, rows, columns, tile,
    tile_stride, arguments)` is called once, with constants for the sizes wherever the panel is whole. No bit of C
    depends on begin, end or the vector width.
    """
    block = register_block(lanes)
    width = block.width
    panel = panel_product(block, columns, a_row, a_depth)
    pack = pack_tile(block, columns, b_depth, b_column)
    packed_floats = width * DEPTH_BLOCK
    waiting_floats = width * ROW_BLOCK
    known_depth = -1 if depth is None else depth
    rest = columns % width
    # The last tile, if its last vector is not full, and a B that lies across cannot be read in place.
    transposed = b_column != 1
    ragged = columns % block.lanes != 0
    aliased = b_depth % ALIASED_STRIDE == 0

    @linked
    def last_tiles(row, column, rows, present, tile, arguments):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
        out_of_line()
        epilogue(row, column, rows, present, tile, width, arguments)

    @linked
    def rows_times_columns(begin, end, depth, a, b, arguments):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
        if known_depth >= 0:
            depth = known_depth
        packed = stack_floats(packed_floats)
        waiting = stack_floats(waiting_floats)
        for first in range(begin, end, ROW_BLOCK):
            last = min(first + ROW_BLOCK, end)
            for column in range(0, columns, width):
                present = min(columns - column, width)
                packs = transposed or (ragged and present < width) or (aliased and last - first >= 2 * width)
                start = 0
                unfinished = True
                while unfinished:
                    here = offset(b, start * b_depth + column * b_column)
                    step = b_depth
                    count = depth
                    if packs:
                        count = min(depth - start, DEPTH_BLOCK)
                        pack(column, count, here, packed)
                        here = packed
                        step = width
                    unfinished = start + count < depth
                    for row in range(first, last, PANEL):
                        rows = min(last - row, PANEL)
                        tile = offset(waiting, (row - first) * width)
                        factor = offset(a, row * a_row + start * a_depth)
                        panel(rows, column, count, factor, here, step, tile, start > 0)
                        if not unfinished:
                            # Constants where they are true for most tiles: the epilogue is specialised for them.
                            if rows == PANEL and present == width:
                                epilogue(row, column, PANEL, width, tile, width, arguments)
                            elif rest > 0 and rows == PANEL:
                                epilogue(row, column, PANEL, rest, tile, width, arguments)
                            else:
                                last_tiles(row, column, rows, present, tile, arguments)
                    start += count

    return rows_times_columns


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
