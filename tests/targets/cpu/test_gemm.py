"""Shapes, layouts and vector widths in, compiled products out: values, bits, and not one byte touched out of bounds."""

from __future__ import annotations

import ctypes
import mmap
import sys
from functools import cache
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from trainer_cli.targets.cpu import gemm
from trainer_cli.targets.cpu.ahead import FAR_FLOATS
from trainer_cli.targets.cpu.intrinsics import float_pointer, has_fused_multiply_add, offset
from trainer_cli.targets.cpu.linking import linked
from trainer_cli.targets.cpu.microkernel import register_block
from trainer_cli.targets.cpu.turned import pays_turned

ROWS = (1, 2, 3, 5, 6, 7, 8, 9, 17, 31, 33, 100)
COLUMNS = (1, 3, 10, 11, 31, 32, 33, 48, 128)
DEPTHS = (0, 1, 2, 10, 37, 784)
LAYOUTS = ("nn", "tn", "nt")
# Distances between rows (or columns) in memory: constants of the compilation, so that one product serves every size.
FAR = 800


def strides(layout: str, columns: int) -> dict[str, int]:
    if layout == "nn":
        return {"a_row": FAR, "a_depth": 1, "b_depth": columns + 1, "b_column": 1}
    if layout == "tn":
        return {"a_row": 1, "a_depth": 104, "b_depth": columns, "b_column": 1}
    return {"a_row": FAR, "a_depth": 1, "b_depth": 1, "b_column": FAR}


@cache
def compiled(layout: str, columns: int, lanes: int | None, depth: int | None = None) -> Any:
    c_row = columns + 3
    function = gemm.product(
        columns=columns, depth=depth, epilogue=gemm.store_epilogue(c_row), lanes=lanes, **strides(layout, columns)
    )

    @linked
    def run(begin: int, end: int, depth: int, a: int, b: int, c: int) -> None:
        function(begin, end, depth, float_pointer(a), float_pointer(b), (float_pointer(c),))

    return run


class Fenced:
    """A float32 array between two pages that may not be touched, against one of them; any excess ends the process."""

    def __init__(self, size: int, at_end: bool) -> None:
        page = mmap.PAGESIZE
        inner = -(-max(size * 4, 1) // page) * page
        self.memory = mmap.mmap(-1, inner + 2 * page)
        start = ctypes.addressof(ctypes.c_char.from_buffer(self.memory))
        if sys.platform == "linux":
            libc = ctypes.CDLL(None, use_errno=True)
            for fence in (start, start + page + inner):
                assert libc.mprotect(ctypes.c_void_p(fence), ctypes.c_size_t(page), 0) == 0
        first = page + (inner - size * 4 if at_end else 0)
        self.values = np.frombuffer(self.memory, np.float32, size, first)


def operands(layout: str, rows: int, columns: int, depth: int, at_end: bool) -> Any:
    """Fenced A and B with NaN wherever no element lies, and views of their elements."""
    at = strides(layout, columns)
    result = []
    rng = np.random.default_rng(rows * 1000 + columns + depth)
    for shape, step in (
        ((rows, depth), (at["a_row"], at["a_depth"])),
        ((depth, columns), (at["b_depth"], at["b_column"])),
    ):
        size = sum((n - 1) * s for n, s in zip(shape, step, strict=True)) + 1 if 0 not in shape else 0
        memory = Fenced(size, at_end).values
        memory[:] = np.nan
        view = np.lib.stride_tricks.as_strided(memory, shape, [4 * s for s in step])
        view[:] = rng.standard_normal(shape, np.float32)
        result += [memory, view]
    return result


def check(
    layout: str, columns: int, lanes: int | None, rows: int, depth: int, at_end: bool, fixed: bool = False
) -> None:
    run = compiled(layout, columns, lanes, depth if fixed else None)
    a, a_view, b, b_view = operands(layout, rows, columns, depth, at_end)
    c_row = columns + 3
    c = Fenced((rows - 1) * c_row + columns, at_end).values
    c[:] = 7
    run(0, rows, -5 if fixed else depth, a.ctypes.data, b.ctypes.data, c.ctypes.data)
    got = np.lib.stride_tricks.as_strided(c, (rows, columns), (4 * c_row, 4))
    exact = a_view.astype(np.float64) @ b_view.astype(np.float64)
    scale = np.abs(a_view).astype(np.float64) @ np.abs(b_view).astype(np.float64)
    assert (np.abs(got - exact) <= 2e-7 * np.sqrt(depth + 1) * scale).all(), (rows, depth)
    got[:] = 7
    assert (c == 7).all(), "wrote between the rows of C"


@pytest.mark.parametrize(
    ("layout", "columns"),
    [("nn", n) for n in COLUMNS] + [("tn", n) for n in (1, 33)] + [("nt", n) for n in (3, 32, 48)],
)
def test_product(layout: str, columns: int) -> None:
    for i, rows in enumerate(ROWS):
        for j, depth in enumerate(DEPTHS):
            check(layout, columns, None, rows, depth, at_end=(i + j) % 2 == 0)


@pytest.mark.parametrize("lanes", [4, 8, 16])
@pytest.mark.parametrize(("layout", "columns"), [("nn", 65), ("tn", 65), ("nt", 65), ("nt", 5)])
def test_every_vector_width(layout: str, columns: int, lanes: int) -> None:
    for i, rows in enumerate(ROWS):
        for depth in (0, 10, 301):
            check(layout, columns, lanes, rows, depth, at_end=i % 2 == 0)


@pytest.mark.parametrize(("layout", "depth"), [("nn", 200), ("tn", 0), ("nt", 200), ("nt", 5)])
def test_depth_known_at_compilation(layout: str, depth: int) -> None:
    check(layout, 40, None, 20, depth, at_end=True, fixed=True)


def test_rows_far_apart_by_a_power_of_two_are_packed() -> None:
    # b_depth is columns + 1 here: 512 floats apart, over many rows and several blocks of depth.
    for rows in (40, 64, 200):
        check("nn", 511, None, rows, 300, at_end=True)


@pytest.mark.parametrize("lanes", [4, 16])
@pytest.mark.parametrize("columns", [70, 161, 600])
def test_rows_that_are_columns_in_memory_are_copied_and_finished_in_wide_tiles(columns: int, lanes: int) -> None:
    # Of 128 rows, 512 terms are copied at once.
    for i, rows in enumerate((3, 17, 100)):
        for depth in (0, 3, 130, 512, 1100):
            check("tn", columns, lanes, rows, depth, at_end=i % 2 == 0)


@pytest.mark.parametrize("lanes", [4, 8, 16])
@pytest.mark.parametrize(("depth", "columns"), [(16, 32), (48, 96), (400, 64)])
@pytest.mark.parametrize("across", [False, True])
def test_copies_tile_by_tile_give_the_same_bits(lanes: int, depth: int, columns: int, across: bool) -> None:
    layout = {"b_depth": 1, "b_column": depth} if across else {"b_depth": columns, "b_column": 1}
    shape: dict[str, Any] = {"columns": columns, "depth": depth, "a_row": depth + 1, "a_depth": 1, "lanes": lanes}
    copy = gemm.tiles(columns=columns, depth=depth, lanes=lanes, **layout)
    plain = gemm.product(epilogue=gemm.store_epilogue(columns), **shape, **layout)
    tiled = gemm.product(epilogue=gemm.store_epilogue(columns), in_tiles=True, **shape, **layout)

    @linked
    def run(rows: int, a: int, b: int, tiles: int, one: int, other: int) -> None:
        copy(float_pointer(b), float_pointer(tiles))
        plain(0, rows, depth, float_pointer(a), float_pointer(b), (float_pointer(one),))
        tiled(0, rows, depth, float_pointer(a), float_pointer(tiles), (float_pointer(other),))

    rows, rng = 19, np.random.default_rng(0)
    a, b = rng.standard_normal((rows, depth + 1), np.float32), rng.standard_normal((depth, columns), np.float32)
    stored, copied = np.ascontiguousarray(b.T) if across else b, Fenced(depth * columns, at_end=True).values
    one, other = np.zeros((rows, columns), np.float32), np.ones((rows, columns), np.float32)
    run(rows, *(array.ctypes.data for array in (a, stored, copied, one, other)))
    np.testing.assert_allclose(one, a[:, :-1] @ b, rtol=1e-4, atol=1e-4)
    assert one.tobytes() == other.tobytes()


@pytest.mark.parametrize("lanes", [4, 8, 16])
def test_weights_lie_one_below_the_other_in_tiles(lanes: int) -> None:
    rows, columns, depths = 19, 96, (16, 5, 31)
    depth = sum(depths)
    starts = [sum(depths[:number]) for number in range(len(depths))]
    copies = [
        gemm.tiles(columns=columns, depth=own, b_depth=columns, b_column=1, first=start, tile_depth=depth, lanes=lanes)
        for own, start in zip(depths, starts, strict=True)
    ]
    shape: dict[str, Any] = {"columns": columns, "depth": depth, "a_row": depth, "a_depth": 1, "lanes": lanes}
    shape |= {"b_depth": columns, "b_column": 1, "epilogue": gemm.store_epilogue(columns)}
    plain, tiled = gemm.product(**shape), gemm.product(in_tiles=True, **shape)
    first, second, third = copies

    @linked
    def run(rows: int, a: int, b: int, b1: int, b2: int, b3: int, tiles: int, one: int, other: int) -> None:
        first(float_pointer(b1), float_pointer(tiles))
        second(float_pointer(b2), float_pointer(tiles))
        third(float_pointer(b3), float_pointer(tiles))
        plain(0, rows, depth, float_pointer(a), float_pointer(b), (float_pointer(one),))
        tiled(0, rows, depth, float_pointer(a), float_pointer(tiles), (float_pointer(other),))

    rng = np.random.default_rng(0)
    a, b = rng.standard_normal((rows, depth), np.float32), rng.standard_normal((depth, columns), np.float32)
    parts = [Fenced(own * columns, at_end=True).values for own in depths]
    for part, own, start in zip(parts, depths, starts, strict=True):
        part[...] = b[start : start + own].ravel()
    copied = Fenced(depth * columns, at_end=True).values
    one, other = np.zeros((rows, columns), np.float32), np.ones((rows, columns), np.float32)
    run(rows, *(array.ctypes.data for array in (a, b, *parts, copied, one, other)))
    np.testing.assert_allclose(one, a @ b, rtol=1e-4, atol=1e-4)
    assert one.tobytes() == other.tobytes()


@pytest.mark.parametrize("lanes", [4, 8, 16])
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("columns", [1, 3, 10, 18, 37, 63, 100, 201])
def test_rows_finished_together_have_the_same_bits(layout: str, columns: int, lanes: int) -> None:
    rows = 93
    at = strides(layout, columns)
    plain, flat = (
        gemm.product(columns=columns, epilogue=gemm.store_epilogue(columns), lanes=lanes, flat=flat, **at)
        for flat in (False, True)
    )

    @linked
    def run(chosen: int, begin: int, end: int, depth: int, a: int, b: int, c: int) -> None:
        if chosen == 1:
            flat(begin, end, depth, float_pointer(a), float_pointer(b), (float_pointer(c),))
        else:
            plain(begin, end, depth, float_pointer(a), float_pointer(b), (float_pointer(c),))

    for depth in (0, 3, 140, 600):
        a, a_view, b, b_view = operands(layout, rows, columns, depth, at_end=True)
        one, other = (Fenced(rows * columns, at_end=True).values for _ in range(2))
        other[:] = 7
        run(0, 0, rows, depth, a.ctypes.data, b.ctypes.data, one.ctypes.data)
        for begin, end in pairwise((0, 8, 13, 93)):
            before = other.copy()
            run(1, begin, end, depth, a.ctypes.data, b.ctypes.data, other.ctypes.data)
            assert (other[: begin * columns] == before[: begin * columns]).all()
            assert (other[end * columns :] == 7).all()
        np.testing.assert_allclose(other.reshape(rows, columns), a_view @ b_view, rtol=1e-3, atol=1e-3)
        assert one.tobytes() == other.tobytes()


@pytest.mark.parametrize("lanes", [4, 8, 16])
@pytest.mark.parametrize("columns", [1, 2, 5, 6, 10, 11, 22, 37, 65])
def test_last_columns_computed_as_rows_have_the_same_bits(columns: int, lanes: int) -> None:
    assert pays_turned(register_block(lanes), columns)
    run, other = compiled("tn", columns, lanes), compiled("nn", columns, lanes)
    for rows in (1, 15, 33, 100):
        for depth in (0, 1, 37, 140):
            check("tn", columns, lanes, rows, depth, at_end=rows % 2 == 0)
            a, a_view, b, b_view = operands("tn", rows, columns, depth, at_end=True)
            by_rows, by_rows_b = np.zeros((rows, FAR), np.float32), np.zeros((depth, columns + 1), np.float32)
            by_rows[:, :depth], by_rows_b[:, :columns] = a_view, b_view
            one, two = (np.zeros(rows * (columns + 3), np.float32) for _ in range(2))
            run(0, rows, depth, a.ctypes.data, b.ctypes.data, one.ctypes.data)
            other(0, rows, depth, by_rows.ctypes.data, by_rows_b.ctypes.data, two.ctypes.data)
            assert one.tobytes() == two.tobytes(), (rows, depth)


def test_only_whole_tiles_are_copied() -> None:
    with pytest.raises(ValueError, match="do not divide into tiles"):
        gemm.tiles(columns=33, depth=16, b_depth=33, b_column=1)
    with pytest.raises(ValueError, match="do not divide into tiles"):
        gemm.tiles(columns=64, depth=15, b_depth=1, b_column=15)


def test_other_strides() -> None:
    function = gemm.product(
        columns=5, a_row=30, a_depth=3, b_depth=10, b_column=2, epilogue=gemm.store_epilogue(5)
    )  # fmt: skip

    @linked
    def run(a: int, b: int, c: int) -> None:
        function(0, 9, 10, float_pointer(a), float_pointer(b), (float_pointer(c),))

    rng = np.random.default_rng(0)
    a, b = rng.standard_normal((9, 10, 3), np.float32), rng.standard_normal((10, 5, 2), np.float32)
    c = np.zeros((9, 5), np.float32)
    run(a.ctypes.data, b.ctypes.data, c.ctypes.data)
    np.testing.assert_allclose(c, a[:, :, 0] @ b[:, :, 0], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_bits_depend_neither_on_the_split_nor_on_the_width(layout: str) -> None:
    rows, columns, depth = 93, 65, 301
    a, _, b, _ = operands(layout, rows, columns, depth, at_end=True)
    results = []
    for lanes in (4, 8, 16):
        run = compiled(layout, columns, lanes)
        for splits in ((0, 93), (0, 8, 93), (0, 5, 46, 93), (0, 48, 93), (0, 40, 72, 93), (*range(0, 93, 8), 93)):
            c = np.full(rows * (columns + 3), 7, np.float32)
            for begin, end in pairwise(splits):
                run(begin, end, depth, a.ctypes.data, b.ctypes.data, c.ctypes.data)
            results.append(c)
    assert all(np.array_equal(c.view(np.int32), results[0].view(np.int32)) for c in results)


@pytest.mark.parametrize("lanes", [4, 8, 16])
@pytest.mark.parametrize(("layout", "columns"), [("nn", 33), ("nn", 1100), ("nn", 4503), ("tn", 70), ("nt", 70)])
def test_few_rows_have_the_same_bits(layout: str, columns: int, lanes: int) -> None:
    """Of one or two rows, strips of up to 528 (4 lanes) to 2112 columns are computed together."""
    for rows, depth in ((25, 0), (25, 7), (25, 37)):
        a, _, b, _ = operands(layout, rows, columns, depth, at_end=True)
        run = compiled(layout, columns, lanes)
        results = []
        for most in (24, 1, 2, 3, 5, 6, 7):
            c = Fenced((rows - 1) * (columns + 3) + columns, at_end=True).values
            c[:] = 7
            for begin in range(0, rows, most):
                run(begin, min(begin + most, rows), depth, a.ctypes.data, b.ctypes.data, c.ctypes.data)
            results.append(c)
        for c in results[1:]:
            assert np.array_equal(c.view(np.int32), results[0].view(np.int32)), depth


@pytest.mark.parametrize("lanes", [4, 8, 16])
@pytest.mark.parametrize(("layout", "columns"), [("nn", 481), ("nn", 511), ("nt", 401)])
def test_far_operands(layout: str, columns: int, lanes: int) -> None:
    """784 rows of B are more than the second-level cache is taken for; with 511 columns they are 512 floats apart."""
    assert 784 * columns > FAR_FLOATS
    for rows in (1, 3, 15, 16, 20, 33, 131):
        check(layout, columns, lanes, rows, 784, at_end=rows % 2 == 0, fixed=True)


@pytest.mark.skipif(not has_fused_multiply_add(), reason="the processor rounds twice")
def test_every_element_is_one_chain_of_fused_steps() -> None:
    rows, columns, depth = 9, 65, 150
    a, a_view, b, b_view = operands("nn", rows, columns, depth, at_end=True)
    c = np.zeros(rows * (columns + 3), np.float32)
    compiled("nn", columns, None)(0, rows, depth, a.ctypes.data, b.ctypes.data, c.ctypes.data)
    expected = np.zeros((rows, columns), np.float32)
    for k in range(depth):
        # The product of two float32 is exact in float64, and so nearly is the sum: one rounding that counts.
        expected = (np.outer(a_view[:, k].astype(float), b_view[k]) + expected).astype(np.float32)
    assert np.array_equal(c.reshape(rows, -1)[:, :columns], expected)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_nan_and_infinity_stay_in_their_row_and_column(layout: str) -> None:
    rows, columns, depth = 20, 65, 12
    a, a_view, b, b_view = operands(layout, rows, columns, depth, at_end=True)
    a_view[3, 5], a_view[17, 0] = np.nan, np.inf
    b_view[2, 64] = np.nan
    c = np.zeros(rows * (columns + 3), np.float32)
    compiled(layout, columns, None)(0, rows, depth, a.ctypes.data, b.ctypes.data, c.ctypes.data)
    got = c.reshape(rows, -1)[:, :columns]
    finite = np.isfinite(got)
    assert np.isnan(got[3]).all()
    assert np.isnan(got[:, 64]).all()
    assert np.array_equal(got[17, :64], np.where(b_view[0, :64] > 0, np.inf, -np.inf))
    assert finite[np.ix_([i for i in range(rows) if i not in (3, 17)], range(64))].all()


def test_epilogue_sees_every_element_once_and_its_arguments() -> None:
    columns, rows, depth = 37, 21, 6

    @linked
    def add_bias(row, column, rows, columns, tile, tile_stride, arguments):
        c, bias, factor, counts = arguments
        for i in range(rows):
            for j in range(columns):
                place = (row + i) * 37 + column + j
                c[place] += factor * tile[i * tile_stride + j] + bias[column + j]
                counts[place] += np.float32(1)

    function = gemm.product(columns=columns, epilogue=add_bias, **strides("nn", columns))

    @linked
    def run(a: int, b: int, c: int, bias: int, counts: int, factor: float) -> None:
        arguments = (float_pointer(c), float_pointer(bias), factor, offset(float_pointer(counts), 0))
        function(0, rows, depth, float_pointer(a), float_pointer(b), arguments)

    a, a_view, b, b_view = operands("nn", rows, columns, depth, at_end=True)
    c, counts = np.ones((rows, columns), np.float32), np.zeros((rows, columns), np.float32)
    bias = np.arange(columns, dtype=np.float32)
    addresses = [x.ctypes.data for x in (a, b, c, bias, counts)]
    run(*addresses, np.float32(2))
    assert (counts == 1).all()
    np.testing.assert_allclose(c, 1 + 2 * (a_view @ b_view) + bias, rtol=1e-5, atol=1e-5)


def test_machine_code_asks_for_no_symbol() -> None:
    function = gemm.product(columns=33, epilogue=gemm.store_epilogue(33), **strides("nt", 33))

    @linked
    def kernel(a: int, b: int, c: int) -> None:
        function(0, 9, 10, float_pointer(a), float_pointer(b), (float_pointer(c),))

    a, b, c = (np.zeros(1000, np.float32) for _ in range(3))
    kernel(a.ctypes.data, b.ctypes.data, c.ctypes.data)
    text = kernel.llvm()
    declared = [line for line in text.splitlines() if line.startswith("declare") and "@llvm." not in line]
    assert declared == []
