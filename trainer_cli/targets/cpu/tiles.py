"""Strides and block sizes come in, an intrinsic goes out that multiplies a block of rows by one tile of columns.

The loops over panels and over the depth are written as LLVM code: their many
variants are generated, not written.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir

from trainer_cli.targets.cpu.machine_types import FLOAT_POINTER, WORD, intrinsic
from trainer_cli.targets.cpu.microkernel import (
    PACKED_ROWS,
    PANEL,
    Block,
    constant,
    loop,
    pack_writer,
    panel_writer,
    separate_function,
)

# A packed tile of B takes DEPTH_BLOCK (128) rows of it: with 32 columns 16 KiB, half of a small first-level cache.
DEPTH_BLOCK = 8 * PACKED_ROWS
# B is read where it lies, unless its rows are a multiple of this apart (2 KiB): they would all fall into a few sets of
# the first-level cache. Copying a tile then pays if twice as many rows use it as it has columns.
ALIASED_STRIDE = 512

_INDEX = ir.IntType(64)
_BOOL = ir.IntType(1)
_POINTER = ir.FloatType().as_pointer()


def tile_product(block: Block, columns: int, a_row: int, a_depth: int, b_depth: int, b_column: int) -> Any:
    """An intrinsic `(first, last, column, depth, a, b, packed, tile)` for rows first … last - 1 of one tile.

    `tile` receives the rows, each `block.width` floats wide; `packed` has room for `block.width · DEPTH_BLOCK` floats.
    """
    transposed = b_column != 1
    # A last tile whose last vector is not full cannot be read in place: it would be read past the end of a row.
    ragged_from = columns - columns % block.width if columns % block.lanes else columns
    aliased = b_depth % ALIASED_STRIDE == 0

    def write(
        builder: Any, first: Any, last: Any, column: Any, depth: Any, a: Any, b: Any, packed: Any, tile: Any
    ) -> None:
        module = builder.module
        panel = separate_function(
            module,
            "panel_product",
            [_INDEX, _INDEX, _INDEX, _POINTER, _POINTER, _INDEX, _POINTER, _BOOL],
            panel_writer(block, columns, a_row, a_depth),
        )
        b_tile = builder.gep(b, [builder.mul(column, constant(b_column))])

        def panels(start: Any, count: Any, b_rows: Any, b_step: Any, resume: Any) -> None:
            with loop(builder, first, last, PANEL) as row:
                left = builder.sub(last, row)
                rows = builder.select(builder.icmp_signed("<", left, constant(PANEL)), left, constant(PANEL))
                place = builder.mul(builder.sub(row, first), constant(block.width))
                factor = builder.add(builder.mul(row, constant(a_row)), builder.mul(start, constant(a_depth)))
                arguments = [rows, column, count, builder.gep(a, [factor]), b_rows, b_step]
                builder.call(panel, [*arguments, builder.gep(tile, [place]), resume])

        def in_place() -> None:
            panels(constant(0), depth, b_tile, constant(b_depth), _BOOL(0))

        def by_packing() -> None:
            pack = separate_function(
                module,
                "pack_tile",
                [_INDEX, _INDEX, _POINTER, _POINTER],
                pack_writer(block, columns, b_depth, b_column),
            )
            # A depth of 0 still has a part, an empty one, that sets the tile to zero.
            above = builder.select(builder.icmp_signed(">", depth, constant(0)), depth, constant(1))
            with loop(builder, constant(0), above, DEPTH_BLOCK) as start:
                left = builder.sub(depth, start)
                small = builder.icmp_signed("<", left, constant(DEPTH_BLOCK))
                count = builder.select(small, left, constant(DEPTH_BLOCK))
                source = builder.gep(b_tile, [builder.mul(start, constant(b_depth))])
                builder.call(pack, [column, count, source, packed])
                resume = builder.icmp_signed(">", start, constant(0))
                panels(start, count, packed, constant(block.width), resume)

        if transposed or ragged_from == 0:
            by_packing()
        elif aliased or ragged_from < columns:
            packs = builder.icmp_signed(">=", column, constant(ragged_from))
            if aliased:
                many = builder.icmp_signed(">=", builder.sub(last, first), constant(2 * block.width))
                packs = builder.or_(packs, many)
            with builder.if_else(packs) as (packing, placed):
                with packing:
                    by_packing()
                with placed:
                    in_place()
        else:
            in_place()

    kinds = [_INDEX, _INDEX, _INDEX, _INDEX, _POINTER, _POINTER, _POINTER, _POINTER]

    @intrinsic(*[WORD] * 4, *[FLOAT_POINTER] * 4)
    def product_of_tile(builder: Any, *arguments: Any) -> None:
        function = separate_function(builder.module, "tile_product", kinds, write)
        builder.call(function, arguments)

    return product_of_tile
