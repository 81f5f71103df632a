"""Splits by a column of the data: whole groups, and the end of the time, in every source that has columns."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from trainer_cli.data.prepare import apply, prepare
from trainer_cli.data.source import INPUT, TARGET, Source
from trainer_cli.data.sources.csv import Csv
from trainer_cli.data.sources.idx import Idx
from trainer_cli.data.sources.json_lines import JsonLines
from trainer_cli.data.sources.npz import Npz
from trainer_cli.data.targets import TargetSpec
from trainer_cli.errors import DataError

DAYS = [f"2024-{month:02}-{day:02}" for month in (2, 1, 3) for day in (3, 1, 2)]
WHO = ["ann", "bob", "eve"] * 3


def csv(folder: Path, **split: Any) -> Source:
    rows = (f"{row},{who},{day},{row * 2}\n" for row, (who, day) in enumerate(zip(WHO, DAYS, strict=True)))
    (folder / "t.csv").write_text("x,who,day,y\n" + "".join(rows))
    return Csv(path="t.csv", target="y", features=["x"], split=split)


def json_lines(folder: Path, **split: Any) -> Source:
    rows = zip(range(9), WHO, DAYS, strict=True)
    lines = (json.dumps({"x": row, "who": who, "day": day, "y": 2 * row}) for row, who, day in rows)
    (folder / "t.jsonl").write_text("\n".join(lines))
    return JsonLines(path="t.jsonl", input="x", target="y", split=split)


def npz(folder: Path, **split: Any) -> Source:
    np.savez(folder / "t.npz", x=np.arange(9.0), who=np.array(WHO), day=np.array(DAYS), y=2.0 * np.arange(9))
    return Npz(path="t.npz", split=split)


@pytest.mark.parametrize("make", [csv, json_lines, npz])
def test_by_group(tmp_path: Path, make: Any):
    source = make(tmp_path, validation=0.33, test=0.33, group="who")
    found = prepare(source, tmp_path, {TARGET: TargetSpec("values", (1,))}, 3)
    assert source.signature(tmp_path).inputs[INPUT].shape == (1,)
    parts = [found.train, found.validation, found.test]
    who = [{WHO[int(row)] for row in part.inputs[INPUT].ravel()} for part in parts if part is not None]
    assert sorted(map(sorted, who)) == [["ann"], ["bob"], ["eve"]]
    again = apply(found.encoding, source, tmp_path, part="test")
    assert found.test is not None
    assert again.inputs[INPUT].tolist() == found.test.inputs[INPUT].tolist()


@pytest.mark.parametrize("make", [csv, json_lines, npz])
def test_by_time(tmp_path: Path, make: Any):
    found = prepare(make(tmp_path, validation=0.2, test=0.3, time="day"), tmp_path, {}, 3)
    assert found.validation is not None
    assert found.test is not None
    days = [[DAYS[int(row)] for row in part.inputs[INPUT].ravel()] for part in (found.train, found.validation)]
    assert max(days[0]) < min(days[1])
    assert found.test.inputs[INPUT].ravel().tolist() == [6, 7, 8], "those of March"


def test_numbers_are_times_too_and_named_features_stay_features(tmp_path: Path):
    (tmp_path / "t.csv").write_text("year,x\n" + "".join(f"{2000 + row % 5},{row}\n" for row in range(10)))
    source = Csv(path="t.csv", features=["year", "x"], split={"test": 0.2, "time": "year"})
    found = prepare(source, tmp_path, {}, 0)
    assert found.test is not None
    assert found.test.inputs[INPUT].tolist() == [[2004, 4], [2004, 9]]


def test_the_column_is_no_feature_unless_it_is_named(tmp_path: Path):
    (tmp_path / "t.csv").write_text("x,who,y\n" + "".join(f"{row},{row % 3},1\n" for row in range(9)))
    source = Csv(path="t.csv", target="y", split={"test": 0.3, "group": "who"})
    assert source.signature(tmp_path).inputs[INPUT].shape == (1,)
    assert prepare(source, tmp_path, {}, 0).train.inputs[INPUT].shape == (6, 1)


def test_files_of_their_own_need_no_such_column(tmp_path: Path):
    source = csv(tmp_path, test=0.3, time="day").model_copy(update={"validation_path": "v.csv"})
    (tmp_path / "v.csv").write_text("y,x\n2,1\n")
    found = prepare(source, tmp_path, {}, 0)
    assert found.validation is not None
    assert found.validation.inputs[INPUT].tolist() == [[1]]


@pytest.mark.parametrize(
    ("text", "split", "message"),
    [
        ("x,g\n1,a\n2, \n", {"group": "g"}, "t.csv, line 3, column `g`: the cell is empty, and names no group"),
        ("x,t\n1,2024-01-01\n2,soon\n", {"time": "t"}, "t.csv, line 3, column `t`: expected a date or time"),
        ("x,t\n1,1\n2,\n", {"time": "t"}, "t.csv, line 2, column `t`: expected a date or time"),
        ("x,t\n1,1\n", {"time": "tt"}, "t.csv: no column `tt`"),
    ],
)
def test_bad_cells_are_named(tmp_path: Path, text: str, split: dict[str, Any], message: str):
    (tmp_path / "t.csv").write_text(text)
    with pytest.raises(DataError) as caught:
        prepare(Csv(path="t.csv", split={"test": 0.5, **split}), tmp_path, {}, 0)
    assert message in caught.value.message


def test_sources_without_columns_refuse(tmp_path: Path):
    with pytest.raises(ValueError, match="rows of `idx` have no columns by which they could be split"):
        Idx(folder="mnist", split={"test": 0.1, "group": "who"})
