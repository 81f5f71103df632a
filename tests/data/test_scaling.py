"""Scaling: statistics of the given rows only, bytes left alone where one factor does, constants safe."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from trainer_cli.data import scaling as scaling_module
from trainer_cli.data.scaling import Scaling, fit_scaling
from trainer_cli.data.source import InputArray, Origin, ScalingMode
from trainer_cli.errors import DataError

ORIGIN = Origin("t.csv", "line", 2)
tables = hnp.arrays(
    np.float64, hnp.array_shapes(min_dims=2, max_dims=3, min_side=1, max_side=8), elements=st.floats(-1e6, 1e6)
)


def as_input(values: np.ndarray, features: tuple[str, ...] | None = None) -> InputArray:
    return InputArray(values, ORIGIN, features)


def run(mode: ScalingMode, values: np.ndarray, rows: np.ndarray | None = None) -> np.ndarray:
    return fit_scaling(mode, as_input(values), rows).apply(as_input(values), None)


@pytest.mark.parametrize("rows", [None, np.asarray([0, 2, 3, 7, 9])])
def test_standardized_training_rows_have_mean_0_and_deviation_1(rows: np.ndarray | None):
    values = np.random.default_rng(0).normal(size=(10, 2, 3)) * 7 + 1e4
    scaled = run("standardize", values, rows)
    chosen = scaled if rows is None else scaled[rows]
    assert scaled.dtype == np.float32
    np.testing.assert_allclose(chosen.mean(axis=0), 0, atol=1e-6)
    np.testing.assert_allclose(chosen.std(axis=0), 1, rtol=1e-6)


@given(tables)
def test_min_max_fills_the_range(values: np.ndarray):
    scaled = run("min_max", values)
    assert scaled.min() >= 0
    assert scaled.max() <= 1
    varies = values.max(axis=0) > values.min(axis=0)
    assert (scaled.max(axis=0) == varies).all()


@given(tables, st.sampled_from(["standardize", "min_max"]), st.integers(1, 30))
def test_working_in_blocks_changes_next_to_nothing(values: np.ndarray, mode: ScalingMode, size: int):
    whole = run(mode, values)
    before = scaling_module._ELEMENTS_AT_ONCE
    scaling_module._ELEMENTS_AT_ONCE = size
    try:
        np.testing.assert_allclose(run(mode, values), whole, rtol=1e-5, atol=1e-5)
    finally:
        scaling_module._ELEMENTS_AT_ONCE = before


@pytest.mark.parametrize("mode", ["standardize", "min_max"])
@pytest.mark.parametrize("constant", [0.0, 0.1, 1e20])
def test_a_constant_feature_becomes_0(mode: ScalingMode, constant: float):
    assert not run(mode, np.full((1001, 1), constant)).any()


def test_statistics_come_from_the_given_rows_alone():
    fitted = fit_scaling("min_max", as_input(np.asarray([[0.0], [4.0], [100.0]])), np.asarray([0, 1]))
    assert fitted.apply(as_input(np.asarray([[8.0]])), None).tolist() == [[2.0]]


@pytest.mark.parametrize(("mode", "scale"), [("none", 1.0), ("unit", 1 / 255)])
def test_bytes_stay_bytes_and_are_not_copied_without_need(mode: ScalingMode, scale: float):
    values = np.arange(24, dtype=np.uint8).reshape(4, 2, 3)
    fitted = fit_scaling(mode, as_input(values), None)
    assert fitted.input_scale == scale
    assert np.shares_memory(fitted.apply(as_input(values), None), values)
    chosen = fitted.apply(as_input(values), np.asarray([1, 3]))
    assert chosen.dtype == np.uint8
    assert np.array_equal(chosen, values[[1, 3]])


def test_bytes_are_standardized_per_pixel():
    values = np.asarray([[0, 10], [200, 10]], np.uint8)
    assert run("standardize", values).tolist() == [[-1, 0], [1, 0]]


def test_numbers_as_bytes_are_divided_by_255():
    assert run("unit", np.asarray([[0.0, 255.0]])).tolist() == [[0, 1]]
    with pytest.raises(DataError) as error:
        run("unit", np.asarray([[0.0, 255.0], [256.0, 0.0]]))
    assert error.value.message == "t.csv, line 3, element [0]: expected a number from 0 to 255, found `256.0`"


def test_a_number_too_large_for_float32():
    values = np.asarray([[0.0, 1.0], [2.0, 1e39]])
    fitted = fit_scaling("none", as_input(values), None)
    with pytest.raises(DataError) as error:
        fitted.apply(as_input(values, ("a", "b")), np.asarray([1]))
    assert error.value.message == "t.csv, line 3, column `b`: expected a number that float32 can hold, found `1e+39`"


@pytest.mark.parametrize("mode", ["standardize", "min_max"])
def test_numbers_too_large_for_their_statistics(mode: ScalingMode):
    with pytest.raises(DataError) as error:
        run(mode, np.asarray([[1e308], [-1e308], [1e308]]))
    assert error.value.message == "t.csv: a feature's values are too large to be scaled"


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (np.zeros((2, 3)), "t.csv: rows have shape (3,), the model was trained on (2,)"),
        (np.zeros((2, 2)), "t.csv: holds float64 values, the model was trained on bytes"),
    ],
)
def test_new_data_of_another_kind(values: np.ndarray, message: str):
    fitted = fit_scaling("unit", as_input(np.zeros((2, 2), np.uint8)), None)
    with pytest.raises(DataError) as error:
        fitted.apply(as_input(values), None)
    assert error.value.message == message


@given(tables, st.sampled_from(["none", "unit", "standardize", "min_max"]))
def test_json_round_trip_is_exact(values: np.ndarray, mode: ScalingMode):
    fitted = fit_scaling(mode, as_input(values), None)
    again = Scaling.from_json(json.loads(json.dumps(fitted.to_json())))
    probe = np.abs(values) % 255
    assert np.array_equal(fitted.apply(as_input(probe), None), again.apply(as_input(probe), None))
    assert again.to_json() == fitted.to_json()
