"""Column count and strides in, an intrinsic out that multiplies one or two rows by B along B's rows.

A tile of columns is read 128 bytes of row after row of B. With many rows it comes from the first-level cache; with one
or two it is read once, and fetching line by line from places far apart takes four times as long as fetching B in its
order. Here, the sums of whole rows lie in memory, and four rows of B at a time are added to all of them. Each sum is
the same chain of fused multiply-adds as in `microkernel.py`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from llvmlite import ir

from trainer_cli.targets.cpu.intrinsics import multiply_add
from trainer_cli.targets.cpu.machine_types import FLOAT_POINTER, WORD, intrinsic
from trainer_cli.targets.cpu.microkernel import (
    Block,
    constant,
    load_first,
    load_vector,
    loop,
    separate_function,
    splat,
    store_vector,
)

FEW_ROWS = 2
# Rows of B that are added together: sums are loaded and stored once for each of them.
_TERMS = 4

_INDEX = ir.IntType(64)
_POINTER = ir.FloatType().as_pointer()


def few_rows_product(block: Block, columns: int, a_row: int, a_depth: int, b_depth: int, *, strip: int) -> Any:
    """An intrinsic `(rows, start, depth, a, b, tiles)` for 1 to FEW_ROWS rows and `strip` columns from `start` on.

    `strip` is a multiple of `block.width`. `tiles` receives tile after tile of `block.width` columns, each with
    FEW_ROWS rows; what lies behind the last column is anything.
    """
    lanes, width = block.lanes, block.width
    whole = columns - columns % width
    vector = ir.VectorType(ir.FloatType(), lanes)

    def write(builder: Any, rows: Any, start: Any, depth: Any, a: Any, b: Any, tiles: Any) -> None:
        rows_of_b = builder.gep(b, [start])
        left = builder.sub(constant(whole), start)
        stop = builder.select(builder.icmp_signed("<", left, constant(strip)), left, constant(strip))

        def each_tile(visit: Callable[[Any, int], None]) -> None:
            """Visit the strip's tiles with their first column in it, and how many columns they have."""
            with loop(builder, constant(0), stop, width) as column:
                visit(column, width)
            if whole < columns:
                with builder.if_then(builder.icmp_signed("<", left, constant(strip))):
                    visit(stop, columns - whole)

        def vectors(count: int, column: Any, present: int) -> list[list[Any]]:
            """The places of a tile's sums, for each of its vectors one of each row."""
            tile = builder.gep(tiles, [builder.mul(column, constant(FEW_ROWS))])
            return [
                [builder.gep(tile, [constant(row * width + first)]) for row in range(count)]
                for first in range(0, present, lanes)
            ]

        def add(count: int, term: Any, terms: int) -> None:
            factors = []
            for row in range(count):
                places = [
                    builder.add(builder.mul(builder.add(term, constant(k)), constant(a_depth)), constant(row * a_row))
                    for k in range(terms)
                ]
                factors.append([splat(builder, builder.load(builder.gep(a, [place])), lanes) for place in places])
            lines = [
                builder.gep(rows_of_b, [builder.mul(builder.add(term, constant(k)), constant(b_depth))])
                for k in range(terms)
            ]

            def add_tile(column: Any, present: int) -> None:
                for i, places in enumerate(vectors(count, column, present)):
                    here = builder.add(column, constant(i * lanes))
                    numbers = [
                        load_first(builder, builder.gep(line, [here]), present - i * lanes, lanes) for line in lines
                    ]
                    for place, own in zip(places, factors, strict=True):
                        total = load_vector(builder, place, lanes)
                        for factor, number in zip(own, numbers, strict=True):
                            total = multiply_add(builder, factor, number, total)
                        store_vector(builder, total, place, 4 * lanes)

            each_tile(add_tile)

        def multiply(count: int) -> None:
            def clear(column: Any, present: int) -> None:
                for places in vectors(count, column, present):
                    for place in places:
                        store_vector(builder, ir.Constant(vector, [0.0] * lanes), place, 4 * lanes)

            each_tile(clear)
            together = builder.and_(depth, constant(-_TERMS))
            with loop(builder, constant(0), together, _TERMS) as term:
                add(count, term, _TERMS)
            with loop(builder, together, depth, 1) as term:
                add(count, term, 1)

        with builder.if_else(builder.icmp_signed("==", rows, constant(1))) as (one, more):
            with one:
                multiply(1)
            with more:
                multiply(FEW_ROWS)

    kinds = [_INDEX, _INDEX, _INDEX, _POINTER, _POINTER, _POINTER]

    @intrinsic(WORD, WORD, WORD, FLOAT_POINTER, FLOAT_POINTER, FLOAT_POINTER)
    def product_of_few_rows(builder: Any, *arguments: Any) -> None:
        builder.call(separate_function(builder.module, "few_rows_product", kinds, write), arguments)

    return product_of_few_rows
