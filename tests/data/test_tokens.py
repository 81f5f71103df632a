"""Whole numbers as inputs: from integers, floats and text to int32, checked when they are read, never scaled."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from trainer_cli.data.encoding import Encoding
from trainer_cli.data.prepare import apply, prepare
from trainer_cli.data.source import INPUT
from trainer_cli.data.sources.csv import Csv
from trainer_cli.data.sources.npz import Npz
from trainer_cli.errors import ConfigError, DataError

TOKENS = np.arange(12).reshape(4, 3)


def save(folder: Path, values: Any) -> Npz:
    np.savez(folder / "t.npz", x=values)
    return Npz(path="t.npz", target=None)


@pytest.mark.parametrize("dtype", ["uint8", "int16", "int64", "uint64", "float32", "bool"])
@pytest.mark.parametrize("bound", [12, None])
def test_every_type_of_number_becomes_int32(tmp_path: Path, dtype: str, bound: int | None) -> None:
    values = TOKENS.astype(dtype)
    dataset = prepare(save(tmp_path, values), tmp_path, {}, 0, tokens={INPUT: bound})
    found = dataset.train.inputs[INPUT]
    assert found.dtype == np.int32
    assert found.flags.c_contiguous
    assert np.array_equal(found, values)
    assert dataset.encoding.inputs[INPUT].input_scale == 1.0


def test_columns_of_text_become_int32(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("a,b\n1,2\n3,4\n")
    found = prepare(Csv(path="t.csv"), tmp_path, {}, 0, tokens={INPUT: 5}).train.inputs[INPUT]
    assert found.tolist() == [[1, 2], [3, 4]]
    assert found.dtype == np.int32
    (tmp_path / "t.csv").write_text("a,b\n1,2\n3,9\n")
    with pytest.raises(DataError, match=r"t.csv, line 3, column `b`: expected a whole number from 0 to 4, found `9"):
        prepare(Csv(path="t.csv"), tmp_path, {}, 0, tokens={INPUT: 5})


@pytest.mark.parametrize("wrong", [12, -1, 1e30])
def test_numbers_beyond_the_bound_are_refused_by_their_row(tmp_path: Path, wrong: float) -> None:
    values = TOKENS.astype(float)
    values[2, 1] = wrong
    with pytest.raises(
        DataError, match=r"t.npz, array `x`, row 2, element \[1\]: expected a whole number from 0 to 11"
    ):
        prepare(save(tmp_path, values), tmp_path, {}, 0, tokens={INPUT: 12})


def test_the_row_is_counted_in_the_file_whatever_the_split(tmp_path: Path) -> None:
    values = np.zeros((40, 2), np.int64)
    values[31, 0] = 7
    source = save(tmp_path, values).model_copy(update={"split": Npz(path="t", split={"validation": 0.5}).split})
    with pytest.raises(DataError, match=r"row 31, element \[0\]"):
        prepare(source, tmp_path, {}, 0, tokens={INPUT: 7})


@pytest.mark.parametrize(("wrong", "bound"), [(0.5, 12), (0.5, None), (2.0**31, None), (-(2.0**31) - 1, None)])
def test_what_is_no_whole_number_is_refused(tmp_path: Path, wrong: float, bound: int | None) -> None:
    values = TOKENS.astype(float)
    values[0, 0] = wrong
    with pytest.raises(DataError, match=r"row 0, element \[0\]: expected a whole number"):
        prepare(save(tmp_path, values), tmp_path, {}, 0, tokens={INPUT: bound})


@pytest.mark.parametrize("mode", ["unit", "standardize", "min_max"])
def test_whole_numbers_are_not_scaled(tmp_path: Path, mode: Any) -> None:
    source = save(tmp_path, TOKENS).model_copy(update={"scaling": mode})
    with pytest.raises(ConfigError) as caught:
        prepare(source, tmp_path, {}, 0, tokens={INPUT: 12})
    assert caught.value.problems[0].path == ("data", "scaling")


def test_new_data_is_held_to_the_same_bound(tmp_path: Path) -> None:
    source = save(tmp_path, TOKENS)
    learned = prepare(source, tmp_path, {}, 0, tokens={INPUT: 12}).encoding
    encoding = Encoding.from_json(json.loads(json.dumps(learned.to_json())))
    assert apply(encoding, source, tmp_path).inputs[INPUT].dtype == np.int32
    np.savez(tmp_path / "new.npz", x=TOKENS + 1)
    with pytest.raises(DataError, match=r"new.npz, array `x`, row 3, element \[2\]: .* found `12"):
        apply(encoding, source, tmp_path, file=tmp_path / "new.npz", with_target=False)


def test_encodings_of_earlier_versions_have_no_bound(tmp_path: Path) -> None:
    stored = prepare(save(tmp_path, TOKENS), tmp_path, {}, 0).encoding.to_json()
    del stored["inputs"][INPUT]["bound"]
    assert Encoding.from_json(stored).inputs[INPUT].bound is None
