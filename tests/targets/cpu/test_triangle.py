"""Triangles: square operands in, products without what lies beyond the diagonal out, the bits of whole products."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pytest

from trainer_cli.targets.cpu import gemm
from trainer_cli.targets.cpu.contraction import Triangle
from trainer_cli.targets.cpu.intrinsics import float_pointer
from trainer_cli.targets.cpu.linking import linked

FAR = 200
SIZES = (1, 7, 8, 9, 31, 33, 64, 130)


@cache
def compiled(kind: str | None, columns: int, lanes: int | None, strides: tuple[int, int, int, int]) -> Any:
    names = ("a_row", "a_depth", "b_depth", "b_column")
    function = gemm.product(
        columns=columns,
        epilogue=gemm.store_epilogue(columns),
        lanes=lanes,
        triangle=kind,
        **dict(zip(names, strides, strict=True)),
    )

    @linked
    def run(begin: int, end: int, depth: int, a: int, b: int, c: int) -> None:
        function(begin, end, depth, float_pointer(a), float_pointer(b), (float_pointer(c),))

    return run


def product(
    kind: str | None, columns: int, lanes: int | None, strides: Any, size: int, depth: int, a: Any, b: Any
) -> Any:
    c = np.full((size, columns), 7, np.float32)
    # In two parts: the diagonal stays where it is.
    for begin, end in ((0, size // 2), (size // 2, size)):
        run = compiled(kind, columns, lanes, strides)
        run(begin, end, depth, a.ctypes.data, b.ctypes.data, c.ctypes.data)
    return c


@pytest.mark.parametrize("lanes", [None, 4, 8])
@pytest.mark.parametrize("columns", [3, 16, 33])
@pytest.mark.parametrize("kind", [Triangle.ENDS, Triangle.BEGINS])
def test_terms_that_are_zero_are_left_out(kind: Triangle, columns: int, lanes: int | None) -> None:
    random = np.random.default_rng(0)
    for size in SIZES:
        square = random.normal(size=(FAR, FAR)).astype(np.float32)
        b = random.normal(size=(FAR, columns)).astype(np.float32)
        # Rows of A are rows of the square, whose terms end, or its columns, whose terms begin at the diagonal.
        strides = (FAR, 1, columns, 1) if kind is Triangle.ENDS else (1, FAR, columns, 1)
        whole = product(None, columns, lanes, strides, size, size, np.tril(square), b)
        square[np.triu_indices(FAR, 8 if columns % 16 == 0 else 32)] = np.nan
        lower = np.where(np.isnan(square), square, np.tril(square))
        found = product(kind, columns, lanes, strides, size, size, lower, b)
        assert found.tobytes() == whole.tobytes(), size


@pytest.mark.parametrize("lanes", [None, 4, 8])
@pytest.mark.parametrize("size", SIZES)
def test_results_beyond_the_diagonal_are_finite(size: int, lanes: int | None) -> None:
    random = np.random.default_rng(1)
    a, b = (random.normal(size=(FAR, 6)).astype(np.float32) for _ in range(2))
    strides = (6, 1, 1, 6)
    whole = product(None, size, lanes, strides, size, 6, a, b)
    found = product(Triangle.RESULT, size, lanes, strides, size, 6, a, b)
    assert np.tril(found).tobytes() == np.tril(whole).tobytes()
    assert np.isfinite(found).all()
    if size > 64:
        assert (found[:32, 64:] == 0).all()
