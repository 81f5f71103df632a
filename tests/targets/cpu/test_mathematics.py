"""Every kind of float32 in, elementary functions out: error bounds, special values, and the same bits in vectors."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import pytest

from trainer_cli.targets.cpu import mathematics
from trainer_cli.targets.cpu.intrinsics import (
    float_pointer,
    flush_subnormals,
    has_fused_multiply_add,
    is_x86,
    restore_float_state,
)
from trainer_cli.targets.cpu.linking import linked
from trainer_cli.targets.cpu.microkernel import host_lanes

SMALLEST_NORMAL = float(np.finfo(np.float32).tiny)
INF, NAN = math.inf, math.nan

REFERENCES: dict[str, Callable[[Any], Any]] = {
    "exp": np.exp,
    "expm1": np.expm1,
    "log": np.log,
    "log1p": np.log1p,
    "tanh": np.tanh,
    "logistic": lambda x: 1 / (1 + np.exp(-x)),
    "erf": np.vectorize(math.erf, otypes=[np.float64]),
}
# Units in the last place. Without fused steps, products round once more.
BOUNDS = {"exp": 1.05, "expm1": 1.5, "log": 0.8, "log1p": 1.5, "tanh": 1.4, "logistic": 1.6, "erf": 1.2}


@cache
def compiled(name: str) -> Any:
    function = getattr(mathematics, name)

    @linked
    def run(x: int, y: int, count: int, flush: bool) -> None:
        source, target = float_pointer(x), float_pointer(y)
        state = np.int64(0)
        if flush:
            state = flush_subnormals()
        for i in range(count):
            target[i] = function(source[i])
        if flush:
            restore_float_state(state)

    return run


def apply(name: str, x: Any, flush: bool = False) -> Any:
    x = np.ascontiguousarray(x, np.float32)
    y = np.empty_like(x)
    compiled(name)(x.ctypes.data, y.ctypes.data, x.size, flush)
    return y


@pytest.mark.parametrize("flush", [False, True])
@pytest.mark.parametrize("name", REFERENCES)
def test_error_over_all_exponents(name: str, flush: bool) -> None:
    # Every 1,021st bit pattern: all exponents of both signs, infinities and NaN; erf's reference is slow.
    step = 1021 * (16 if name == "erf" else 1)
    x = np.arange(0, 2**32, step, dtype=np.uint64).astype(np.uint32).view(np.float32)
    inner = np.random.default_rng(1).uniform(-20, 20, x.size // 4).astype(np.float32)
    x = np.concatenate([x, inner])
    if flush:
        # An argument below the normal range then counts as zero.
        x = x[~(np.abs(x) < SMALLEST_NORMAL)]
    with np.errstate(all="ignore"):
        y = apply(name, x, flush).astype(np.float64)
        exact = REFERENCES[name](x.astype(np.float64))
        rounded = exact.astype(np.float32)
        assert np.array_equal(np.isnan(y), np.isnan(exact) | (np.isnan(x)))
        number = ~np.isnan(exact)
        infinite = np.isinf(rounded) & number
        assert np.array_equal(y[infinite], rounded[infinite].astype(np.float64))
        # Without fused steps a product below the normal range may be flushed before it is added.
        edge = SMALLEST_NORMAL if has_fused_multiply_add() else 16 * SMALLEST_NORMAL
        tiny = number & (np.abs(exact) <= edge)
        assert (np.abs(y[tiny] - exact[tiny]) <= edge).all()
        normal = number & ~infinite & ~tiny
        error = np.abs(y[normal] - exact[normal]) / np.spacing(np.abs(rounded[normal])).astype(np.float64)
    bound = BOUNDS[name] if has_fused_multiply_add() else 3 * BOUNDS[name]
    assert error.max() <= bound, (error.max(), x[normal][error.argmax()])


@pytest.mark.parametrize(
    ("name", "cases"),
    [
        ("exp", {0.0: 1.0, INF: INF, -INF: 0.0, NAN: NAN, 88.8: INF, 1e30: INF, -104.0: 0.0, -1e30: 0.0}),
        ("expm1", {0.0: 0.0, INF: INF, -INF: -1.0, NAN: NAN, 89.0: INF, -50.0: -1.0, 1e-30: 1e-30}),
        ("log", {1.0: 0.0, 0.0: -INF, INF: INF, -INF: NAN, -1.0: NAN, NAN: NAN}),
        ("log1p", {0.0: 0.0, -1.0: -INF, -1.5: NAN, INF: INF, -INF: NAN, NAN: NAN, 1e-30: 1e-30, -1e-30: -1e-30}),
        ("tanh", {0.0: 0.0, INF: 1.0, -INF: -1.0, NAN: NAN, 20.0: 1.0, -20.0: -1.0, 1e-30: 1e-30}),
        ("logistic", {0.0: 0.5, INF: 1.0, -INF: 0.0, NAN: NAN, 100.0: 1.0, -120.0: 0.0}),
        ("erf", {0.0: 0.0, INF: 1.0, -INF: -1.0, NAN: NAN, 5.0: 1.0, -5.0: -1.0}),
    ],
)
def test_special_values(name: str, cases: dict[float, float]) -> None:
    got = apply(name, list(cases))
    np.testing.assert_array_equal(got, np.array(list(cases.values()), np.float32))


@pytest.mark.parametrize("name", REFERENCES)
def test_bits_are_the_same_in_vectors_remainders_and_alone(name: str) -> None:
    rng = np.random.default_rng(3)
    x = np.concatenate([rng.uniform(-3, 3, 60), rng.uniform(-90, 90, 30), [0, 1e-38, 1e30, INF, NAN, -1, 7]])
    x = x.astype(np.float32)
    whole = apply(name, x).view(np.int32)
    alone = np.concatenate([apply(name, x[i : i + 1]) for i in range(x.size)]).view(np.int32)
    nan = np.isnan(whole.view(np.float32))
    assert np.array_equal(whole[~nan], alone[~nan])
    for length in range(1, 40):
        assert np.array_equal(apply(name, x[:length]).view(np.int32)[~nan[:length]], whole[:length][~nan[:length]])


@pytest.mark.skipif(not is_x86(), reason="reads x86 assembly")
@pytest.mark.parametrize("name", REFERENCES)
def test_a_loop_becomes_vector_code(name: str) -> None:
    run = compiled(name)
    apply(name, [1.0])
    text = run.llvm()
    vectors = re.findall(r"<(\d+) x float> (?:@llvm\.fma|%)", text)
    assert vectors, "the loop is not vectorised"
    assert max(map(int, vectors)) >= min(host_lanes(), 8)
    assert not re.search(r"call [^@]*@(exp|log|tanh|erf)", text)


def test_the_error_function_shares_the_exponential_of_its_derivative() -> None:
    @linked
    def run(a: int, b: int, c: int) -> None:
        source, value, derivative = float_pointer(a), float_pointer(b), float_pointer(c)
        x = source[0]
        value[0] = mathematics.erf(x)
        square = x * x
        derivative[0] = mathematics.exp(-square)

    x, value, derivative = (np.array([number], np.float32) for number in (1.5, 0, 0))
    run(x.ctypes.data, value.ctypes.data, derivative.ctypes.data)
    assert (value[0], derivative[0]) == (pytest.approx(math.erf(1.5)), pytest.approx(math.exp(-2.25)))
    assert len(re.findall(r" = shl i32 %\S+, 23", run.llvm())) == 1


def test_reciprocals_are_rounded_once() -> None:
    rng = np.random.default_rng(0)
    x = np.exp(rng.uniform(math.log(SMALLEST_NORMAL) + 1e-6, math.log(1e38), 400_000)).astype(np.float32)
    exact = 1 / x.astype(np.float64)
    # Of the largest numbers it is below the normal range.
    normal = exact >= SMALLEST_NORMAL
    error = np.abs(apply("reciprocal", x) - exact)[normal] / np.spacing(exact[normal].astype(np.float32))
    assert error.max() <= (0.51 if has_fused_multiply_add() else 2.0)
    above = apply("reciprocal", [1e38, 3e38, INF])
    assert ((above >= 0) & (above < 1.2e-38)).all()
    assert np.isnan(apply("reciprocal", [NAN])).all()


def test_single_instructions() -> None:
    x = np.array([-INF, -2.5, -1.0, -0.0, 0.0, 0.3, 1.0, 2.5, 16.0, INF, NAN], np.float32)
    with np.errstate(all="ignore"):
        np.testing.assert_array_equal(apply("sqrt", x), np.sqrt(x))
        np.testing.assert_array_equal(apply("floor", x), np.floor(x))
        np.testing.assert_array_equal(apply("sign", x), np.sign(x))


def test_functions_of_libm() -> None:
    x = np.linspace(-5, 5, 101, dtype=np.float32)
    np.testing.assert_allclose(apply("sin", x), np.sin(x.astype(float)), atol=2e-7)
    np.testing.assert_allclose(apply("cos", x), np.cos(x.astype(float)), atol=2e-7)

    @linked
    def power(x: float, y: float) -> float:
        return mathematics.power(x, y)

    for a, b in [(2.0, 10.0), (-2.0, 3.0), (-2.0, 0.5), (0.0, 0.0), (0.0, -1.0), (9.0, 0.5), (1.5, -2.25), (INF, -1.0)]:
        with np.errstate(all="ignore"):
            np.testing.assert_allclose(power(np.float32(a), np.float32(b)), np.power(np.float32(a), b), rtol=2e-7)
