"""Linked functions in, native code out: what they compute, what is refused, where the code of calls stands."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from numba.core.errors import NumbaError

from trainer_cli.targets.cpu.intrinsics import (
    double_pointer,
    float_pointer,
    has_fused_multiply_add,
    kernel_attributes,
    word_pointer,
)
from trainer_cli.targets.cpu.linking import linked

float32, int32, uint32 = np.float32, np.int32, np.uint32
TABLE = (3, (4, 5))
FACTOR = 2


def test_a_function_stands_once_in_a_root_and_its_loop_is_vectorised() -> None:
    @linked
    def innermost(x):
        return x * np.float32(3)

    @linked
    def triple_all(x, count):
        kernel_attributes()
        for i in range(count):
            x[i] = innermost(x[i])

    @linked
    def root(address: int, count: int) -> None:
        triple_all(float_pointer(address), count)
        triple_all(float_pointer(address), count // 2)

    x = np.ones(100, np.float32)
    root(x.ctypes.data, 100)
    assert x[:50].tolist() == [9.0] * 50
    assert x[50:].tolist() == [3.0] * 50
    text = root.llvm()
    defined = [line for line in text.splitlines() if line.startswith("define")]
    assert len(defined) == 2, "the root and the kernel that is kept apart from it"
    assert "x float>" in text, "the loop is not vectorised"


@linked
def _collatz(number):
    steps = 0
    while number != 1:
        number = number // 2 if number % 2 == 0 else 3 * number + 1
        steps += 1
    return steps


@linked
def _first_multiple(of, above):
    for i in range(above, 0, -1):
        if i % of == 0:
            return i
    return -1


@linked
def _two(a, b):
    return b, (a, a + b)


@linked
def _swap_and_add(a, b):
    c, (d, e) = _two(a, b)
    return c * 10000 + d * 100 + e


@linked
def _leave(limit):
    total = 0
    for i in range(limit):
        if i == 5:
            break
        for j in range(0, i, 2):
            total += i * j
    return total


@linked
def _constants(x):
    a, (b, c) = TABLE
    return x * FACTOR + a + b * c + min(a, 7) - max(x, 1) + abs(-a) + (1 if FACTOR > 1 else 0)


@linked
def _logic(a, b):
    return (a > 1 and not b) or (a == 0) or (b and a != -3)


@pytest.mark.parametrize(
    ("function", "arguments"),
    [
        (_collatz, (27,)),
        (_first_multiple, (7, 100)),
        (_first_multiple, (7, 5)),
        (_swap_and_add, (3, 4)),
        (_leave, (20,)),
        (_leave, (3,)),
        (_constants, (9,)),
        (_logic, (2, True)),
        (_logic, (2, False)),
        (_logic, (-3, True)),
        (_logic, (0, False)),
    ],
)
def test_native_code_gives_what_python_gives(function: Any, arguments: tuple[Any, ...]) -> None:
    names = {name: value.function for name, value in function.function.__globals__.items() if hasattr(value, "tree")}
    python = type(function.function)(
        function.function.__code__, {**function.function.__globals__, **names}, argdefs=function.function.__defaults__
    )
    assert function(*arguments) == python(*arguments)


def test_arithmetic_of_types() -> None:
    @linked
    def run(words: int, floats: int, doubles: int) -> None:
        w, f, d = word_pointer(words), float_pointer(floats), double_pointer(doubles)
        w[0] = int32(2147483647) + int32(1)
        w[1] = uint32(uint32(4294967295) + uint32(2))
        w[2] = uint32(uint32(1) << uint32(31)) >> uint32(3)
        w[3] = int(d[0]) + (f[0] != f[0])
        f[1] = f[2] * 3 + 0.5
        d[1] = f[2] / 3 + d[0]
        d[2] = d[0] ** 2 + math.exp(d[0]) + math.floor(-d[0])
        d[3] = w[4] / 2
        w[5] = math.isfinite(d[4])
        f[3] = -f[2] if f[0] == f[0] else abs(f[2])

    w = np.array([0, 0, 0, 0, 7, 9])
    f = np.array([np.nan, 0, -2.25, 0], np.float32)
    d = np.array([1.5, 0, 0, 0, np.inf])
    run(w.ctypes.data, f.ctypes.data, d.ctypes.data)
    assert w.tolist() == [2147483648, 1, 1 << 28, 2, 7, 0]
    assert f[1] == -6.25
    assert f[3] == 2.25
    assert d[1] == float(np.float32(-0.75)) + 1.5
    assert d[2] == pytest.approx(2.25 + math.exp(1.5) - 2, rel=1e-15)
    assert d[3] == 3.5


def test_a_product_that_is_read_twice_is_one_number() -> None:
    @linked
    def run(floats: int) -> None:
        f = float_pointer(floats)
        x = f[0]
        square = x * x
        f[1] = square - square
        other = x * x
        f[2] = other - f[3]

    f = np.array([1.1, 7, 7, np.float32(1.1) * np.float32(1.1)], np.float32)
    run(f.ctypes.data)
    assert f[1] == 0
    if has_fused_multiply_add():
        assert 0 < abs(f[2]) < 1e-6, "what rounding the product lost"


def test_a_fixed_parameter_is_a_constant_whatever_is_given() -> None:
    @linked
    def scaled(x, factor, rest):
        return x * factor + rest

    @linked
    def run(x: int) -> int:
        return many(x, 100, 1)

    many = scaled.fixed({1: 3})
    assert run(5) == 16
    assert many is scaled.fixed({1: 3})
    assert scaled(5, 7, 0) == 35


def test_what_is_not_native_is_refused() -> None:
    @linked
    def strange(x):
        y = x + 1
        return undefined_name(y)  # noqa: F821

    @linked
    def texts(x):
        return float_pointer(x) + "a"

    with pytest.raises(NumbaError, match="undefined_name"):
        strange(1)
    with pytest.raises(NumbaError, match="add"):
        texts(1)
