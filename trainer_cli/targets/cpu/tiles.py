"""Strides and block sizes come in, intrinsics go out that multiply a block of rows by a tile of columns, or copy rows.

The loops over panels and over the depth are written as LLVM code: their many
variants are generated, not written.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir

from trainer_cli.targets.cpu.ahead import part_ahead, rows_of_a_copy
from trainer_cli.targets.cpu.machine_types import FLOAT_POINTER, WORD, intrinsic
from trainer_cli.targets.cpu.microkernel import (
    HALF_PANEL,
    PANEL,
    Block,
    Operands,
    constant,
    load_vector,
    loop,
    masked_load,
    multiply_block,
    panel_writer,
    separate_function,
    splat,
    store_vector,
)
from trainer_cli.targets.cpu.packing import PACKED_ROWS, pack_writer

# A packed tile of B takes DEPTH_BLOCK (128) rows of it: with 32 columns 16 KiB, half of a small first-level cache.
DEPTH_BLOCK = 8 * PACKED_ROWS
# Rows of B that all rows of A meet before the next ones: with 32 columns 64 KiB. If each panel went down 4096 of them
# by itself, B would come from a further cache for every 8 rows: 0.42 of the peak instead of 0.73.
DEPTH_IN_PLACE = 512

_INDEX = ir.IntType(64)
_BOOL = ir.IntType(1)
_POINTER = ir.FloatType().as_pointer()
# More terms than there are between two requests: none but the first is made.
_NEVER = 1 << 30


def tile_product(
    block: Block,
    columns: int,
    a_row: int,
    a_depth: int,
    b_depth: int,
    b_column: int,
    *,
    tile_row: int,
    in_panels: bool = False,
    in_tiles: bool = False,
    b_floats: int = 0,
) -> Any:
    """An intrinsic `(first, last, column, depth, a, b, packed, tile, resume)` for rows first … last - 1 of one tile.

    `tile` receives the rows, `tile_row` floats apart; with `resume` the sums that it holds go on. `packed` has room for
    `block.width · DEPTH_BLOCK` floats. With `in_panels`, `a` holds the rows from `first` on as `panel_copy` lays them,
    so that its strides are 1 and PANEL; with `in_tiles`, `b` is what `tile_copy` makes of it. Where B's size is known
    to be `b_floats` and large, the parts of its tiles are asked for ahead.
    """
    transposed = b_column != 1
    # A last tile whose last vector is not full cannot be read in place: it would be read past the end of a row.
    ragged_from = columns - columns % block.width if columns % block.lanes else columns
    enough = None if in_tiles else rows_of_a_copy(b_depth, b_floats)
    packs_whole = not in_tiles and (transposed or enough is not None)
    ahead = part_ahead(block, DEPTH_BLOCK, b_depth, b_column, b_floats) if packs_whole else None

    def write(
        builder: Any,
        first: Any,
        last: Any,
        column: Any,
        depth: Any,
        a: Any,
        b: Any,
        packed: Any,
        tile: Any,
        resume: Any,
    ) -> None:
        resumes = builder.icmp_signed("!=", resume, constant(0))
        module = builder.module
        panel = separate_function(
            module,
            "panel_product",
            [
                *[_INDEX] * 3,
                _POINTER,
                _POINTER,
                _INDEX,
                _POINTER,
                _BOOL,
                *([_INDEX, _INDEX, _POINTER] if ahead else []),
            ],
            panel_writer(block, columns, a_row, a_depth, tile_row, ahead.ask if ahead else None),
        )
        b_tile = builder.gep(b, [builder.mul(column, depth if in_tiles else constant(b_column))])

        def panels(start: Any, count: Any, b_rows: Any, b_step: Any, resume: Any, following: Any = None) -> None:
            """Multiply all panels of rows by rows of B; `following` is the part to ask for meanwhile."""
            terms = ahead.terms(builder, builder.sub(last, first)) if ahead and following else constant(_NEVER)
            with loop(builder, first, last, PANEL) as row:
                left = builder.sub(last, row)
                rows = builder.select(builder.icmp_signed("<", left, constant(PANEL)), left, constant(PANEL))
                above = builder.sub(row, first)
                place = builder.mul(above, constant(tile_row))
                way = builder.mul(above, depth) if in_panels else builder.mul(row, constant(a_row))
                factor = builder.add(way, builder.mul(start, constant(a_depth)))
                arguments = [rows, column, count, builder.gep(a, [factor]), b_rows, b_step]
                arguments += [builder.gep(tile, [place]), resume]
                if ahead:
                    arguments += [ahead.first_line(builder, above, terms), terms, following or b_rows]
                builder.call(panel, arguments)

        def by_parts(most: int, step: int, multiply: Any) -> None:
            """Go through the depth in parts: `multiply(start, count, rows of B, resume)` for each."""
            # A depth of 0 still has a part, an empty one, that sets the tile to zero.
            above = builder.select(builder.icmp_signed(">", depth, constant(0)), depth, constant(1))
            with loop(builder, constant(0), above, most) as start:
                left = builder.sub(depth, start)
                count = builder.select(builder.icmp_signed("<", left, constant(most)), left, constant(most))
                source = builder.gep(b_tile, [builder.mul(start, constant(step))])
                multiply(start, count, source, builder.or_(resumes, builder.icmp_signed(">", start, constant(0))))

        def in_place() -> None:
            step = block.width if in_tiles else b_depth

            def multiply(start: Any, count: Any, source: Any, resume: Any) -> None:
                panels(start, count, source, constant(step), resume)

            by_parts(DEPTH_IN_PLACE, step, multiply)

        def by_packing() -> None:
            kinds = [_INDEX, _INDEX, _POINTER, _POINTER]
            pack = separate_function(module, "pack_tile", kinds, pack_writer(block, columns, b_depth, b_column))

            def multiply(start: Any, count: Any, source: Any, resume: Any) -> None:
                builder.call(pack, [column, count, source, packed])
                # Behind the last part of a tile comes the first one of the next.
                next_term = builder.add(start, constant(DEPTH_BLOCK))
                next_part = builder.gep(b_tile, [builder.mul(next_term, constant(b_depth))])
                next_tile = builder.gep(b_tile, [constant(block.width * b_column)])
                following = builder.select(builder.icmp_signed("<", next_term, depth), next_part, next_tile)
                panels(start, count, packed, constant(block.width), resume, following)

            by_parts(DEPTH_BLOCK, b_depth, multiply)

        if in_tiles:
            in_place()
        elif transposed or ragged_from == 0:
            by_packing()
        elif enough is not None or ragged_from < columns:
            packs = builder.icmp_signed(">=", column, constant(ragged_from))
            if enough is not None:
                many = builder.icmp_signed(">=", builder.sub(last, first), constant(enough))
                packs = builder.or_(packs, many)
            with builder.if_else(packs) as (packing, placed):
                with packing:
                    by_packing()
                with placed:
                    in_place()
        else:
            in_place()

    kinds = [*[_INDEX] * 4, *[_POINTER] * 4, _INDEX]

    @intrinsic(*[WORD] * 4, *[FLOAT_POINTER] * 4, WORD)
    def product_of_tile(builder: Any, *arguments: Any) -> None:
        function = separate_function(builder.module, "tile_product", kinds, write)
        builder.call(function, arguments)

    return product_of_tile


def panel_copy(a_depth: int) -> Any:
    """An intrinsic `(rows, depth, a, panels)` that copies rows of A which lie next to each other.

    Panel follows panel, and in each the terms, PANEL floats together. Rows past the last are zeros.
    """

    def write(builder: Any, rows: Any, depth: Any, a: Any, panels: Any) -> None:
        def copy(row: Any, mask: Any | None) -> None:
            target = builder.gep(panels, [builder.mul(row, depth)])
            with loop(builder, constant(0), depth, 1) as k:
                here = builder.gep(a, [builder.add(builder.mul(k, constant(a_depth)), row)])
                value = load_vector(builder, here, PANEL) if mask is None else masked_load(builder, here, mask, PANEL)
                store_vector(builder, value, builder.gep(target, [builder.mul(k, constant(PANEL))]), 4 * PANEL)

        whole = builder.and_(rows, constant(-PANEL))
        with loop(builder, constant(0), whole, PANEL) as row:
            copy(row, None)
        rest = builder.sub(rows, whole)
        with builder.if_then(builder.icmp_signed(">", rest, constant(0))):
            lanes = ir.Constant(ir.VectorType(_INDEX, PANEL), list(range(PANEL)))
            copy(whole, builder.icmp_signed("<", lanes, splat(builder, rest, PANEL)))

    kinds = [_INDEX, _INDEX, _POINTER, _POINTER]

    @intrinsic(WORD, WORD, FLOAT_POINTER, FLOAT_POINTER)
    def copy_of_panels(builder: Any, *arguments: Any) -> None:
        builder.call(separate_function(builder.module, "copy_panels", kinds, write), arguments)

    return copy_of_panels


def tile_copy(block: Block, columns: int, depth: int, b_depth: int, b_column: int, tile_depth: int) -> Any:
    """An intrinsic `(b, tiles)` that copies B tile by tile; in each, the rows of `block.width` follow each other.

    Tiles have `tile_depth` rows, of which B has `depth`. The columns are whole tiles, and the rows a multiple of
    PACKED_ROWS if B's columns do not follow each other.
    """
    if columns % block.width or (b_column != 1 and depth % PACKED_ROWS):
        raise ValueError(f"{depth} × {columns} do not divide into tiles of {block.width} columns")

    def write(builder: Any, b: Any, tiles: Any) -> None:
        kinds = [_INDEX, _INDEX, _POINTER, _POINTER]
        pack = separate_function(builder.module, "pack_tile", kinds, pack_writer(block, columns, b_depth, b_column))
        with loop(builder, constant(0), constant(columns), block.width) as column:
            source = builder.gep(b, [builder.mul(column, constant(b_column))])
            target = builder.gep(tiles, [builder.mul(column, constant(tile_depth))])
            builder.call(pack, [column, constant(depth), source, target])

    @intrinsic(FLOAT_POINTER, FLOAT_POINTER)
    def copy_of_tiles(builder: Any, *arguments: Any) -> None:
        builder.call(separate_function(builder.module, "copy_tiles", [_POINTER, _POINTER], write), arguments)

    return copy_of_tiles


def small_product(block: Block, columns: int, a_row: int, a_depth: int) -> Any:
    """An intrinsic `(rows, depth, a, b, c, resume)`: a product with whole vectors of columns, which all fit in a cache.

    Rows of B and C follow each other. With `resume` the sums that C holds go on.
    """
    rest = columns % block.width // block.lanes

    def write(builder: Any, rows: Any, depth: Any, a: Any, b: Any, c: Any, resume: Any) -> None:
        resumes = builder.icmp_signed("!=", resume, constant(0))

        def multiply(first: Any, count: int, start: Any, vectors: int) -> None:
            a_here = builder.gep(a, [builder.mul(first, constant(a_row))])
            b_here = builder.gep(b, [start])
            c_here = builder.gep(c, [builder.add(builder.mul(first, constant(columns)), start)])
            operands = Operands(depth, a_here, a_row, a_depth, b_here, constant(columns), c_here, columns, resumes)
            multiply_block(builder, block.lanes, count, vectors, operands)

        def multiply_rows(first: Any, count: int) -> None:
            whole = columns // block.width * block.width
            if whole:
                with loop(builder, constant(0), constant(whole), block.width) as start:
                    multiply(first, count, start, block.vectors)
            if rest:
                multiply(first, count, constant(whole), rest)

        whole = builder.and_(rows, constant(-block.rows))
        with loop(builder, constant(0), whole, block.rows) as first:
            multiply_rows(first, block.rows)
        if block.rows > HALF_PANEL:
            half = builder.and_(rows, constant(HALF_PANEL))
            with builder.if_then(builder.icmp_signed("!=", half, constant(0))):
                multiply_rows(whole, HALF_PANEL)
            whole = builder.or_(whole, half)
        with loop(builder, whole, rows, 1) as row:
            multiply_rows(row, 1)

    kinds = [_INDEX, _INDEX, *[_POINTER] * 3, _INDEX]

    @intrinsic(WORD, WORD, *[FLOAT_POINTER] * 3, WORD)
    def product_of_whole_vectors(builder: Any, *arguments: Any) -> None:
        builder.call(separate_function(builder.module, "small_product", kinds, write), arguments)

    return product_of_whole_vectors
