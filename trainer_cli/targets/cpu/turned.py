"""Columns of a tile and the strides of its operands in, an intrinsic out that computes them as rows.

Where rows of A lie next to each other, as for the gradient of a weight, a vector may hold rows of the product as well
as columns: few columns, or the last few, leave most lanes of a vector of columns idle, and each of its multiply-adds
loads a number of A. A square of sums is turned round in registers when it goes into the tile. Each sum is the same
chain of fused multiply-adds as in `microkernel.py`.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir

from trainer_cli.targets.cpu.intrinsics import multiply_add
from trainer_cli.targets.cpu.machine_types import FLOAT_POINTER, WORD, intrinsic
from trainer_cli.targets.cpu.microkernel import (
    Block,
    constant,
    load_vector,
    loop,
    masked_load,
    masked_store,
    separate_function,
    splat,
    store_vector,
)
from trainer_cli.targets.cpu.packing import transpose

_INDEX = ir.IntType(64)
_POINTER = ir.FloatType().as_pointer()


def pays_turned(block: Block, columns: int) -> bool:
    """Whether the last tile of so many columns is computed faster as rows."""
    rest = columns % block.width
    vectors = -(-rest // block.lanes)
    return 0 < rest <= vectors * block.lanes * 3 // 4


def turned_product(block: Block, columns: int, a_depth: int, b_depth: int, b_column: int, *, tile_row: int) -> Any:
    """An intrinsic `(first, last, depth, a, b, tile)` for rows first … last - 1 of the last tile, which is not whole.

    `tile` receives the rows, `tile_row` floats apart, and has room for a multiple of `block.lanes` of them. Where they
    follow each other without gaps, what lies behind the last column is left as it is.
    """
    lanes = block.lanes
    rest = columns % block.width
    # 20 sums in 32 registers, 10 in 16: the numbers of A and the one of B that they share need the others.
    most = block.rows * block.vectors * 5 // 4
    parts = -(-rest // (most // 2))
    sizes = [rest // parts + (part < rest % parts) for part in range(parts)]
    together = 4 if sizes[0] * 4 <= most else 2

    def write(builder: Any, first: Any, last: Any, depth: Any, a: Any, b: Any, tile: Any) -> None:
        count = builder.sub(last, first)
        a_rows = builder.gep(a, [first])
        numbers = builder.gep(b, [constant((columns - rest) * b_column)])

        def multiply(row: Any, vectors: int, mask: Any | None) -> None:
            start = 0
            for size in sizes:
                a_here = builder.gep(a_rows, [row])
                b_here = builder.gep(numbers, [constant(start * b_column)])
                place = builder.gep(tile, [builder.add(builder.mul(row, constant(tile_row)), constant(start))])
                sums = _sums(builder, lanes, vectors, size, mask, depth, (a_here, a_depth), (b_here, b_depth, b_column))
                room = rest - start if tile_row == columns else block.width - start
                for index, own in enumerate(sums):
                    here = builder.gep(place, [constant(index * lanes * tile_row)])
                    _store_turned(builder, own, lanes, here, tile_row, room)
                start += size

        whole = builder.and_(count, constant(-together * lanes))
        with loop(builder, constant(0), whole, together * lanes) as row:
            multiply(row, together, None)
        steps = ir.Constant(ir.VectorType(_INDEX, lanes), list(range(lanes)))
        with loop(builder, whole, count, lanes) as row:
            mask = builder.icmp_signed("<", steps, splat(builder, builder.sub(count, row), lanes))
            multiply(row, 1, mask)

    kinds = [_INDEX, _INDEX, _INDEX, _POINTER, _POINTER, _POINTER]

    @intrinsic(WORD, WORD, WORD, FLOAT_POINTER, FLOAT_POINTER, FLOAT_POINTER)
    def product_of_turned_tile(builder: Any, *arguments: Any) -> None:
        builder.call(separate_function(builder.module, "turned_product", kinds, write), arguments)

    return product_of_turned_tile


def _sums(
    builder: Any,
    lanes: int,
    vectors: int,
    size: int,
    mask: Any | None,
    depth: Any,
    rows: tuple[Any, int],
    numbers: tuple[Any, int, int],
) -> list[list[Any]]:
    """Of each vector of rows, the sums of `size` columns."""
    (a, a_depth), (b, b_depth, b_column) = rows, numbers
    kind = ir.VectorType(ir.FloatType(), lanes)
    zeros = ir.Constant(kind, [0.0] * lanes)
    entry = builder.block
    body = builder.append_basic_block("depth")
    done = builder.append_basic_block("done")
    builder.cbranch(builder.icmp_signed(">", depth, constant(0)), body, done)

    builder.position_at_end(body)
    index, a_here, b_here = builder.phi(_INDEX), builder.phi(a.type), builder.phi(b.type)
    sums = [[builder.phi(kind) for _ in range(size)] for _ in range(vectors)]
    places = [builder.gep(a_here, [constant(i * lanes)]) for i in range(vectors)]
    held = [
        load_vector(builder, place, lanes) if mask is None else masked_load(builder, place, mask, lanes)
        for place in places
    ]
    factors = [
        splat(builder, builder.load(builder.gep(b_here, [constant(column * b_column)])), lanes)
        for column in range(size)
    ]
    updated = [
        [multiply_add(builder, factor, vector, value) for factor, value in zip(factors, own, strict=True)]
        for vector, own in zip(held, sums, strict=True)
    ]
    following = builder.add(index, constant(1), flags=["nsw"])
    a_next, b_next = builder.gep(a_here, [constant(a_depth)]), builder.gep(b_here, [constant(b_depth)])
    for phi, initial, new in ((index, constant(0), following), (a_here, a, a_next), (b_here, b, b_next)):
        phi.add_incoming(initial, entry)
        phi.add_incoming(new, body)
    for own, new_own in zip(sums, updated, strict=True):
        for value, new in zip(own, new_own, strict=True):
            value.add_incoming(zeros, entry)
            value.add_incoming(new, body)
    builder.cbranch(builder.icmp_signed("<", following, depth), body, done)

    builder.position_at_end(done)
    results = []
    for new_own in updated:
        results.append([builder.phi(kind) for _ in new_own])
        for result, new in zip(results[-1], new_own, strict=True):
            result.add_incoming(zeros, entry)
            result.add_incoming(new, body)
    return results


def _store_turned(builder: Any, columns: list[Any], lanes: int, place: Any, tile_row: int, room: int) -> None:
    """Store vectors of rows as rows of the tile, of which each has room for so many floats."""
    nothing = ir.Constant(columns[0].type, ir.Undefined)
    for start in range(0, len(columns), lanes):
        square = columns[start : start + lanes]
        square += [nothing] * (lanes - len(square))
        for row, value in enumerate(transpose(builder, square, lanes)):
            here = builder.gep(place, [constant(row * tile_row + start)])
            if room - start < lanes:
                masked_store(builder, value, here, min(len(columns) - start, room - start))
            else:
                store_vector(builder, value, here, 4)
