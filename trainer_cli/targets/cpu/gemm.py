"""Column count, strides and an epilogue come in, a compiled matrix product over a range of rows goes out.

C[i, j] = Σ_k A[i·a_row + k·a_depth] · B[k·b_depth + j·b_column]. C is nobody's array: each finished tile is handed to
the epilogue while it is in the first-level cache, and the epilogue decides what becomes of it.
"""

from __future__ import annotations

from typing import Any

from trainer_cli.targets.cpu.intrinsics import inline_attributes, offset, stack_floats
from trainer_cli.targets.cpu.linking import linked
from trainer_cli.targets.cpu.microkernel import PANEL, register_block
from trainer_cli.targets.cpu.tiles import DEPTH_BLOCK, tile_product

__all__ = ["PANEL", "product", "store_epilogue"]

# Rows of a tile on the stack: with 32 columns 16 KiB, half of a small first-level cache.
ROW_BLOCK = 128


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
    name is ignored. `begin` is a multiple of PANEL. For each finished tile, of up to ROW_BLOCK rows, `epilogue(row,
    column, rows, columns, tile, tile_stride, arguments)` is called once, with a constant for `columns`. No bit of C
    depends on begin, end or the vector width.
    """
    block = register_block(lanes)
    width = block.width
    multiply = tile_product(block, columns, a_row, a_depth, b_depth, b_column)
    packed_floats = width * DEPTH_BLOCK
    tile_floats = width * ROW_BLOCK
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
                multiply(first, last, column, depth, a, b, packed, tile)
                finish_whole(first, column, last - first, width, tile, width, arguments)
            if rest > 0:
                multiply(first, last, whole, depth, a, b, packed, tile)
                finish_rest(first, whole, last - first, rest, tile, width, arguments)

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
