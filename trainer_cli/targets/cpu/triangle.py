"""Triangles: a product of tiles in, one that leaves out what lies beyond the diagonal of a square out.

Such a square is what each place of a sequence sees of the others when none looks ahead. What is left out is zero, or
not needed: the sums have the same bits.
"""

from __future__ import annotations

from typing import Any

from trainer_cli.targets.cpu.contraction import Triangle
from trainer_cli.targets.cpu.intrinsics import inline_attributes, offset
from trainer_cli.targets.cpu.linking import linked


def triangle_product(multiply: Any, kind: Triangle, width: int, rows: int, a_depth: int, b_depth: int) -> Any:
    """Like `multiply`, an intrinsic of `tiles.tile_product` with tiles `width` wide; `rows` are taken together."""

    @linked
    def ending(first, last, column, depth, a, b, packed, tile, resume):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
        inline_attributes()
        for row in range(first, last, rows):
            stop = min(row + rows, last)
            multiply(row, stop, column, min(depth, stop), a, b, packed, offset(tile, (row - first) * width), resume)

    @linked
    def beginning(first, last, column, depth, a, b, packed, tile, resume):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
        inline_attributes()
        for row in range(first, last, rows):
            stop = min(row + rows, last)
            left = max(depth - row, 0)
            a_here, b_here = offset(a, row * a_depth), offset(b, row * b_depth)
            multiply(row, stop, column, left, a_here, b_here, packed, offset(tile, (row - first) * width), resume)

    @linked
    def result(first, last, column, depth, a, b, packed, tile, resume):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
        inline_attributes()
        start = min(max(first, column), last)
        for place in range((start - first) * width):
            tile[place] = 0.0
        multiply(start, last, column, depth, a, b, packed, offset(tile, (start - first) * width), resume)

    return {Triangle.ENDS: ending, Triangle.BEGINS: beginning, Triangle.RESULT: result}[kind]
