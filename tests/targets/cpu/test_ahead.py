"""Tests of the requests for parts of a tile: a product of enough rows asks for every line of the next part once."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from trainer_cli.targets.cpu.ahead import (
    ALIASED_STRIDE,
    ASKED_FLOATS,
    FAR_FLOATS,
    PartAhead,
    part_ahead,
    rows_of_a_copy,
)
from trainer_cli.targets.cpu.linking import linked
from trainer_cli.targets.cpu.machine_types import WORD, intrinsic
from trainer_cli.targets.cpu.microkernel import PANEL, register_block
from trainer_cli.targets.cpu.tiles import DEPTH_BLOCK


def places(ahead: PartAhead, rows: int) -> list[int]:
    """Where the lines begin that whole panels of so many rows ask for, computed by the code that the product has."""

    @intrinsic(WORD, result=WORD)
    def terms_of(builder: Any, rows: Any) -> Any:
        return ahead.terms(builder, rows)

    @intrinsic(WORD, WORD, result=WORD)
    def first_line(builder: Any, row: Any, terms: Any) -> Any:
        return ahead.first_line(builder, row, terms)

    @intrinsic(WORD, result=WORD)
    def place(builder: Any, line: Any) -> Any:
        return ahead.place(builder, line)

    @linked
    def steps(rows):  # type: ignore[no-untyped-def]
        return terms_of(rows)

    @linked
    def line_of(row, terms):  # type: ignore[no-untyped-def]
        return first_line(row, terms)

    @linked
    def place_of(line):  # type: ignore[no-untyped-def]
        return place(line)

    terms = steps(rows)
    found = []
    for row in range(0, rows, PANEL):
        requests = (PANEL // ahead.block_rows) * (DEPTH_BLOCK // terms)
        found += [place_of(line_of(row, terms) + number) for number in range(requests)]
    return found


@pytest.mark.parametrize("lanes", [4, 8, 16])
@pytest.mark.parametrize("rows", [128, 64, 32, 16])
@pytest.mark.parametrize("strides", [(1000, 1), (1, 1000)], ids=["rows", "columns"])
def test_every_line_of_a_part_is_asked_for_once(lanes: int, rows: int, strides: tuple[int, int]) -> None:
    block = register_block(lanes)
    ahead = part_ahead(block, DEPTH_BLOCK, *strides, ASKED_FLOATS)
    assert ahead is not None
    found = places(ahead, rows)
    depth, column = np.meshgrid(np.arange(DEPTH_BLOCK), np.arange(block.width), indexing="ij")
    floats = (depth * strides[0] + column * strides[1]).ravel()
    # A request fetches the line that its float is in: runs begin anywhere in one.
    asked = {place + i for place in found for i in range(16)}
    assert asked >= set(floats.tolist())
    # With narrow tiles, many rows have more requests than there are lines, and the last ones ask for what comes later.
    assert len(set(found)) == len(found)
    assert len(found) <= max(2 * ahead.runs * ahead.lines_of_run, DEPTH_BLOCK)


def test_near_operands_are_not_asked_for() -> None:
    block = register_block()
    assert part_ahead(block, DEPTH_BLOCK, 100, 1, ASKED_FLOATS - 1) is None
    assert part_ahead(block, DEPTH_BLOCK, 7, 5, ASKED_FLOATS) is None


def test_far_and_aliased_operands_are_copied() -> None:
    assert rows_of_a_copy(1000, FAR_FLOATS) is None
    few, many = rows_of_a_copy(1000, FAR_FLOATS + 1), rows_of_a_copy(ALIASED_STRIDE, FAR_FLOATS)
    assert few is not None
    assert many is not None
    assert few < many
