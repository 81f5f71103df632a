"""Strides of B come in, a writer goes out of LLVM code that copies a tile of it, row after row of the tile's width."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from llvmlite import ir

from trainer_cli.targets.cpu.microkernel import (
    ELEMENT_BYTES,
    Block,
    Writer,
    constant,
    load_first,
    loop,
    masked_load,
    shuffle,
    splat,
    store_vector,
    whole_or_last_tile,
)

# A transpose writes whole squares, at most this many rows at once.
PACKED_ROWS = 16
# Floats in a 128-bit block, the reach of the cheap shuffles.
_BLOCK = 4

_INDEX = ir.IntType(64)


def _copy_rows(builder: Any, block: Block, columns: int, b_depth: int, depth: Any, b: Any, packed: Any) -> None:
    lanes = block.lanes
    with loop(builder, constant(0), depth, 1) as k:
        source = builder.gep(b, [builder.mul(k, constant(b_depth))])
        target = builder.gep(packed, [builder.mul(k, constant(block.width))])
        for i in range(-(-columns // lanes)):
            here = builder.gep(source, [constant(i * lanes)])
            value = load_first(builder, here, columns - i * lanes, lanes)
            store_vector(builder, value, builder.gep(target, [constant(i * lanes)]), lanes * ELEMENT_BYTES)


def transpose(builder: Any, rows: list[Any], lanes: int) -> list[Any]:
    """Transpose a square of as many vectors as each has lanes: 4×4 inside 128-bit blocks, then the blocks."""

    def interleave(left: Any, right: Any, pattern: Sequence[int]) -> Any:
        order = [base + (i if i < _BLOCK else i - _BLOCK + lanes) for base in range(0, lanes, _BLOCK) for i in pattern]
        return shuffle(builder, left, right, order)

    def blocks(pair: Sequence[Any], chosen: Sequence[int]) -> Any:
        return shuffle(builder, pair[0], pair[1], [i * _BLOCK + lane for i in chosen for lane in range(_BLOCK)])

    # by_element[s][g]: block q holds element 4q + s of rows 4g … 4g + 3.
    by_element: list[list[Any]] = [[] for _ in range(_BLOCK)]
    for first in range(0, lanes, _BLOCK):
        for half, pattern in enumerate(([0, 4, 1, 5], [2, 6, 3, 7])):
            low, high = (interleave(rows[first + i], rows[first + i + 1], pattern) for i in (0, 2))
            by_element[2 * half].append(interleave(low, high, [0, 1, 4, 5]))
            by_element[2 * half + 1].append(interleave(low, high, [2, 3, 6, 7]))
    for step, parts in enumerate(by_element):
        if len(parts) == 2:
            by_element[step] = [blocks(parts, chosen) for chosen in ([0, 2], [1, 3])]
        elif len(parts) == 4:
            left = [blocks(pair, [0, 1, 4, 5]) for pair in (parts[:2], parts[2:])]
            right = [blocks(pair, [2, 3, 6, 7]) for pair in (parts[:2], parts[2:])]
            by_element[step] = [
                blocks(pair, chosen) for pair in (left, right) for chosen in ([0, 2, 4, 6], [1, 3, 5, 7])
            ]
    return [by_element[k % _BLOCK][k // _BLOCK] for k in range(lanes)]


def _transpose_columns(
    builder: Any, block: Block, columns: int, b_column: int, depth: Any, b: Any, packed: Any
) -> None:
    lanes = block.lanes
    steps = ir.Constant(ir.VectorType(_INDEX, lanes), list(range(lanes)))
    with loop(builder, constant(0), depth, lanes) as k:
        mask = builder.icmp_signed("<", steps, splat(builder, builder.sub(depth, k), lanes))
        for i in range(-(-columns // lanes)):
            rows = []
            for lane in range(lanes):
                # Lanes past the last column repeat it: what they hold is never read.
                column = min(i * lanes + lane, columns - 1)
                here = builder.gep(b, [builder.add(k, constant(column * b_column))])
                rows.append(masked_load(builder, here, mask, lanes))
            target = builder.gep(packed, [builder.add(builder.mul(k, constant(block.width)), constant(i * lanes))])
            for step, row in enumerate(transpose(builder, rows, lanes)):
                store_vector(builder, row, builder.gep(target, [constant(step * block.width)]), lanes * ELEMENT_BYTES)


def pack_writer(block: Block, columns: int, b_depth: int, b_column: int) -> Writer:
    """Writes a function `(column, depth, b, packed)` that lays `depth` rows of a tile of B one after another.

    A packed row takes the block's full width. A few rows past `depth` may be overwritten: `packed` must have room for a
    multiple of PACKED_ROWS rows.
    """

    def write(builder: Any, column: Any, *operands: Any) -> None:
        def pack(present: int) -> None:
            if b_column == 1:
                _copy_rows(builder, block, present, b_depth, *operands)
            elif b_depth == 1:
                _transpose_columns(builder, block, present, b_column, *operands)
            else:
                _gather(builder, block, present, (b_depth, b_column), *operands)

        whole_or_last_tile(builder, column, columns, block.width, pack, block.width, columns % block.width)

    return write


def _gather(
    builder: Any, block: Block, columns: int, strides: tuple[int, int], depth: Any, b: Any, packed: Any
) -> None:
    """Any other strides: element by element, which no common layer needs."""
    b_depth, b_column = strides
    with loop(builder, constant(0), depth, 1) as k:
        for column in range(block.width):
            place = builder.add(builder.mul(k, constant(b_depth)), constant(min(column, columns - 1) * b_column))
            target = builder.add(builder.mul(k, constant(block.width)), constant(column))
            builder.store(builder.load(builder.gep(b, [place])), builder.gep(packed, [target]))
