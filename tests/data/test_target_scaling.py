"""Targets are scaled by the training rows alone, and what a model answers comes back in their units."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainer_cli.data.prepare import prepare
from trainer_cli.data.source import TARGET
from trainer_cli.data.sources.csv import Csv
from trainer_cli.data.target_scaling import TargetMode, fit_target_scaling
from trainer_cli.data.targets import TargetEncoding, TargetSpec
from trainer_cli.errors import ConfigError, DataError

MODES: list[TargetMode] = ["standardize", "min_max", "log", "log1p"]


@pytest.mark.parametrize("mode", MODES)
@given(rows=st.lists(st.tuples(st.floats(0.01, 1e6), st.floats(0.01, 10)), min_size=2, max_size=20))
def test_restoring_undoes_it(mode: TargetMode, rows: list[tuple[float, float]]):
    values = np.asarray(rows)
    scaling = fit_target_scaling(mode, values, "t.csv")
    np.testing.assert_allclose(scaling.restore(scaling.apply(values)), values, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    ("mode", "expected"),
    [
        ("standardize", [[-1, -1], [1, 1]]),
        ("min_max", [[0, 0], [1, 1]]),
        ("log", [[-1, -1], [1, 1]]),
        ("log1p", [[-1, -1], [1, 1]]),
    ],
)
def test_every_target_has_its_own_scale(tmp_path: Path, mode: TargetMode, expected: list[list[float]]):
    (tmp_path / "t.csv").write_text("x,a,b\n1,1,100\n2,3,500\n")
    source = Csv(path="t.csv", target=["a", "b"], target_scaling=mode)
    found = prepare(source, tmp_path, {TARGET: TargetSpec("values", (2,))}, 0)
    np.testing.assert_allclose(found.train.targets[TARGET], expected, atol=1e-6)
    again = TargetEncoding.from_json(json.loads(json.dumps(found.encoding.targets[TARGET].to_json())))
    assert again == found.encoding.targets[TARGET]
    assert again.scaling is not None
    np.testing.assert_allclose(again.scaling.restore(np.asarray(expected)), [[1, 100], [3, 500]], rtol=1e-6)


def test_rows_held_out_do_not_shift_it(tmp_path: Path):
    (tmp_path / "t.csv").write_text("t,y\n" + "".join(f"{row},{row if row < 8 else 1e6}\n" for row in range(10)))
    source = Csv(path="t.csv", target="y", target_scaling="min_max", features=["t"], split={"test": 0.2, "time": "t"})
    found = prepare(source, tmp_path, {TARGET: TargetSpec("values", (1,))}, 0)
    assert found.train.targets[TARGET].max() == 1
    assert found.test is not None
    assert found.test.targets[TARGET].min() == pytest.approx(1e6 / 7)


@pytest.mark.parametrize(
    ("mode", "bad", "message"),
    [
        ("log", "0", "t.csv, line 3, column `y`: expected a number greater than 0, which has a logarithm, found `0`"),
        ("log1p", "-1", "t.csv, line 3, column `y`: expected a number greater than -1, found `-1`"),
        ("log", "x", "t.csv, line 3, column `y`: expected a number, found `x`"),
    ],
)
def test_what_cannot_be_scaled_is_named(tmp_path: Path, mode: TargetMode, bad: str, message: str):
    (tmp_path / "t.csv").write_text(f"x,y\n1,1\n2,{bad}\n")
    source = Csv(path="t.csv", target="y", target_scaling=mode)
    with pytest.raises(DataError) as caught:
        prepare(source, tmp_path, {TARGET: TargetSpec("values", (1,))}, 0)
    assert message in caught.value.message


def test_classes_are_not_scaled(tmp_path: Path):
    (tmp_path / "t.csv").write_text("x,y\n1,1\n2,0\n")
    with pytest.raises(ConfigError, match="`target_scaling: log` scales numbers, and the loss takes classes"):
        prepare(Csv(path="t.csv", target="y", target_scaling="log"), tmp_path, {TARGET: TargetSpec("labels", (2,))}, 0)
    source = Csv(path="t.csv", target="y", target_scaling={"z": "log"})
    with pytest.raises(ConfigError, match="no loss takes a target `z`"):
        prepare(source, tmp_path, {TARGET: TargetSpec("values", (1,))}, 0)
