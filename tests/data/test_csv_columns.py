"""Columns of a CSV file that are not plain numbers: categories, booleans, gaps, scaling of their own; several files."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from trainer_cli.data.encoding import Encoding
from trainer_cli.data.prepare import Dataset, apply, prepare
from trainer_cli.data.source import INPUT, TARGET
from trainer_cli.data.sources.csv import Csv
from trainer_cli.errors import ConfigError, DataError

CITIES = "city,size,open,y\nRome,1,yes,0\nParis,2,no,1\nRome,3,TRUE,0\nOslo,6,f,1\n"


def prepared(folder: Path, text: str = CITIES, **arguments: Any) -> Dataset:
    (folder / "t.csv").write_text(text)
    source = Csv(path="t.csv", **{"target": "y", **arguments})
    dataset = prepare(source, folder, {}, 0)
    width = source.signature(folder).inputs[INPUT].shape
    if not arguments.get("split"):
        assert width == dataset.train.inputs[INPUT].shape[1:], "the signature foretells how many numbers a row has"
    return dataset


def column(folder: Path, cells: list[str], new: list[str] | None = None, **spec: Any) -> np.ndarray:
    """The numbers that a column of these cells becomes; with `new`, those that new cells become."""
    text = "a,b\n" + "".join(f"{cell},1\n" for cell in cells)
    dataset = prepared(folder, text, target=None, columns={"a": spec})
    if new is None:
        return dataset.train.inputs[INPUT][:, :-1]
    (folder / "new.csv").write_text("b,a\n" + "".join(f"1,{cell}\n" for cell in new))
    encoding = Encoding.from_json(json.loads(json.dumps(dataset.encoding.to_json())))
    source = Csv(path="t.csv", columns={"a": spec})
    return apply(encoding, source, folder, file=folder / "new.csv", with_target=False).inputs[INPUT][:, :-1]


CATEGORY = {"kind": "categorical"}


def test_kinds_stand_in_the_order_of_the_columns(tmp_path: Path):
    kinds = {"city": CATEGORY, "open": {"kind": "boolean"}}
    found = prepared(tmp_path, columns=kinds, scaling="min_max").train.inputs[INPUT]
    # Oslo, Paris, Rome; size from 0 to 1; open.
    assert found.tolist() == [
        [0, 0, 1, 0, 1],
        [0, 1, 0, pytest.approx(0.2), 0],
        [0, 0, 1, pytest.approx(0.4), 1],
        [1, 0, 0, 1, 0],
    ]
    assert found.dtype == np.float32
    assert found.flags.c_contiguous


def test_patterns_and_scaling_by_column(tmp_path: Path):
    text = "a1,a2,b,y\n0,10,5,0\n10,30,9,0\n"
    found = prepared(tmp_path, text, scaling="standardize", columns={"a*": {"scaling": "min_max"}}).train.inputs[INPUT]
    assert found.tolist() == [[0, 0, -1], [1, 1, 1]]
    whole = prepared(tmp_path, text, columns={"a1": {"scaling": "unit"}}).train.inputs[INPUT]
    np.testing.assert_allclose(whole, [[0, 10, 5], [10 / 255, 30, 9]], rtol=1e-6)


def test_categories_are_those_of_the_training_rows(tmp_path: Path):
    rows = "".join(f"name{row},{row}\n" for row in range(40))
    dataset = prepared(tmp_path, "a,y\n" + rows, columns={"a": CATEGORY}, split={"validation": 0.5})
    assert dataset.validation is not None
    assert dataset.train.inputs[INPUT].shape == (20, 20)
    assert (dataset.train.inputs[INPUT].sum(axis=1) == 1).all()
    assert not dataset.validation.inputs[INPUT].any()


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ({}, [[1, 0], [0, 0]]),
        ({"unseen": "column"}, [[1, 0, 0], [0, 0, 1]]),
        ({"categories": ["z", "y"]}, [[0, 0], [1, 0]]),
    ],
)
def test_unseen_categories(tmp_path: Path, spec: dict[str, Any], expected: list[list[int]]):
    assert column(tmp_path, ["x", "y"], ["x", "z"], **CATEGORY, **spec).tolist() == expected


def test_unseen_categories_may_be_refused(tmp_path: Path):
    with pytest.raises(DataError) as caught:
        column(tmp_path, ["x", "y"], ["x", "z"], unseen="refuse", **CATEGORY)
    place = f"{tmp_path}/new.csv, line 3, column `a`"
    assert caught.value.message == f"{place}: unknown category: expected one of `x`, `y`, found `z`"


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        ("mean", [[1], [3], [3], [8], [0]]),
        ("median", [[1], [2], [2], [8], [0]]),
        ("zero", [[1], [0], [0], [8], [0]]),
        ("indicator", [[1, 0], [3, 1], [3, 1], [8, 0], [0, 0]]),
    ],
)
@pytest.mark.parametrize("gap", ["", " ", "?", "NA", "nan", "N/A", "Null"])
def test_missing_numbers(tmp_path: Path, policy: str, expected: list[list[float]], gap: str):
    cells = ["1", gap, gap, "8", "0", "3"] if policy == "median" else ["1", gap, gap, "8", "0"]
    assert column(tmp_path, cells, missing=policy)[:5].tolist() == expected


def test_what_fills_gaps_is_learned_of_the_training_rows(tmp_path: Path):
    assert column(tmp_path, ["1", "3"], ["", "100"], missing="mean").tolist() == [[2], [100]]
    scaled = column(tmp_path, ["1", "3", ""], ["", "4"], missing="mean", scaling="min_max")
    assert scaled.tolist() == [[0.5], [1.5]]


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        ("median", [[1, 0], [1, 0], [0, 1], [1, 0]]),
        ("zero", [[1, 0], [1, 0], [0, 1], [0, 0]]),
        ("indicator", [[1, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]]),
    ],
)
def test_missing_categories(tmp_path: Path, policy: str, expected: list[list[int]]):
    assert column(tmp_path, ["x", "x", "y", "?"], missing=policy, **CATEGORY).tolist() == expected


def test_missing_booleans(tmp_path: Path):
    assert column(tmp_path, ["yes", "No", "", "T"], kind="boolean", missing="zero").tolist() == [[1], [0], [0], [1]]


def test_na_may_be_a_category(tmp_path: Path):
    assert column(tmp_path, ["EU", "NA"], **CATEGORY).tolist() == [[1, 0], [0, 1]]


@pytest.mark.parametrize(
    ("cells", "spec", "message"),
    [
        (["1", ""], {}, "line 3, column `a`: the cell is empty"),
        (["1", "x"], {"missing": "mean"}, "line 3, column `a`: expected a number, found `x`"),
        (["1", "inf"], {"missing": "mean"}, "line 3, column `a`: expected a finite number, found `inf`"),
        (["1", "1_0"], {"missing": "mean"}, "line 3, column `a`: expected a number, found `1_0`"),
        (["yes", "perhaps"], {"kind": "boolean"}, "line 3, column `a`: expected true or false, found `perhaps`"),
        (["yes", "?"], {"kind": "boolean"}, "line 3, column `a`: the cell is no value"),
        (["x", ""], CATEGORY, "line 3, column `a`: the cell is empty"),
        (["1", "300"], {"scaling": "unit"}, "line 3, column `a`: expected a number from 0 to 255, found `300.0`"),
        (
            ["1", "1e300"],
            {"missing": "zero"},
            "line 3, column `a`: expected a number that float32 can hold, found `1e+300`",
        ),
    ],
)
def test_what_does_not_fit_is_named(tmp_path: Path, cells: list[str], spec: dict[str, Any], message: str):
    with pytest.raises(DataError) as caught:
        column(tmp_path, cells, **spec)
    assert caught.value.message == f"{tmp_path}/t.csv, {message}"


def test_numbers_too_large_to_be_scaled_are_named(tmp_path: Path):
    with pytest.raises(DataError, match=r"t\.csv, column `a`: its values are too large to be scaled"):
        column(tmp_path, ["1e308", "-1e308", "NA"], missing="zero", scaling="standardize")


def test_text_without_a_kind_tells_how_to_read_it(tmp_path: Path):
    with pytest.raises(DataError) as caught:
        prepared(tmp_path)
    assert caught.value.hint is not None
    assert "`columns: {city: {kind: categorical}}`" in caught.value.hint


def test_several_files_are_one_table(tmp_path: Path):
    (tmp_path / "1.csv").write_text("a,b,y\n1,x,0\n2,y,1\n")
    (tmp_path / "2.csv.gz").write_bytes(gzip.compress(b"b,y,a\nx,1,3\nz,0,4\n"))
    source = Csv(path=["1.csv", "2.csv.gz"], target="y", columns={"b": CATEGORY})
    dataset = prepare(source, tmp_path, {}, 0)
    assert dataset.train.inputs[INPUT].tolist() == [[1, 1, 0, 0], [2, 0, 1, 0], [3, 1, 0, 0], [4, 0, 0, 1]]
    table = source.read(tmp_path)
    assert table.targets[TARGET].values.tolist() == [0, 1, 1, 0]
    assert table.targets[TARGET].origin.at(3) == f"{tmp_path}/2.csv.gz, line 3"
    assert Csv(path="?.csv*", target="y", columns={"b": CATEGORY}).read(tmp_path).digest == table.digest


def test_tabs_go_by_the_name_of_the_file(tmp_path: Path):
    (tmp_path / "t.tsv").write_text("a\ty\n1\t0\n")
    assert Csv(path="t.tsv", target="y").read(tmp_path).inputs[INPUT].values.tolist() == [[1]]


def test_several_inputs_share_the_kinds(tmp_path: Path):
    source = Csv(path="t.csv", target="y", features={"where": ["city"], "what": ["size"]}, columns={"city": CATEGORY})
    (tmp_path / "t.csv").write_text(CITIES)
    dataset = prepare(source, tmp_path, {}, 0)
    assert dataset.train.inputs["where"].shape == (4, 3)
    assert dataset.train.inputs["what"].tolist() == [[1], [2], [3], [6]]


def test_models_of_whole_numbers_take_no_such_columns(tmp_path: Path):
    (tmp_path / "t.csv").write_text(CITIES)
    source = Csv(path="t.csv", target="y", features=["city"], columns={"city": CATEGORY})
    with pytest.raises(ConfigError, match="the model takes whole numbers"):
        prepare(source, tmp_path, {}, 0, {INPUT: 5})
