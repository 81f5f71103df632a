"""Dates, texts, whole-number categories, clipping and logarithms: what columns of a table can become."""

from __future__ import annotations

import json
import math
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from trainer_cli.config.load import load_text
from trainer_cli.data.calendar import DatePart, date_part
from trainer_cli.data.column_spec import ColumnSpec
from trainer_cli.data.encoding import Encoding
from trainer_cli.data.prepare import Dataset, apply, prepare
from trainer_cli.data.source import INPUT
from trainer_cli.data.sources.csv import Csv
from trainer_cli.errors import ConfigError, DataError
from trainer_cli.training.fit import FitOptions, fit
from trainer_cli.training.predict import predict


def prepared(folder: Path, text: str, tokens: dict[str, int | None] | None = None, **arguments: Any) -> Dataset:
    (folder / "t.csv").write_text(text)
    return prepare(Csv(path="t.csv", **arguments), folder, {}, 0, tokens)


def column(folder: Path, cells: list[str], new: list[str] | None = None, **spec: Any) -> np.ndarray:
    """The numbers that a column of these cells becomes; with `new`, those that new cells become."""
    dataset = prepared(folder, "a\n" + "".join(f"{cell}\n" for cell in cells), columns={"a": spec})
    signature = Csv(path="t.csv", columns={"a": spec}).signature(folder).inputs[INPUT]
    found = dataset.train.inputs[INPUT]
    assert signature.shape == found.shape[1:]
    assert signature.dtype == found.dtype
    if new is None:
        return found
    (folder / "new.csv").write_text("a\n" + "".join(f"{cell}\n" for cell in new))
    encoding = Encoding.from_json(json.loads(json.dumps(dataset.encoding.to_json())))
    source = Csv(path="t.csv", columns={"a": spec})
    return apply(encoding, source, folder, file=folder / "new.csv", with_target=False).inputs[INPUT]


def test_dates_become_their_parts(tmp_path: Path):
    found = column(tmp_path, ["2024-02-29", "1969-12-31T23:30:00+01:00"], kind="date")
    assert found.tolist() == [[2024, 2, 29, 3], [1969, 12, 31, 2]]


@pytest.mark.parametrize("part", ["year", "month", "day", "weekday", "hour", "minute", "second", "day_of_year", "week"])
def test_parts_are_those_of_the_standard_library(part: DatePart):
    start = datetime(1965, 1, 1)
    moments = [start + timedelta(seconds=86_399.0 * 13.37 * step) for step in range(2500)]
    own = {
        "weekday": datetime.weekday,
        "week": lambda each: each.isocalendar().week,
        "day_of_year": lambda each: each.timetuple().tm_yday,
    }.get(part, lambda each: getattr(each, part))
    seconds = np.array([(each - datetime(1970, 1, 1)).total_seconds() for each in moments])
    assert date_part(seconds, part).tolist() == [own(each) for each in moments]


def test_days_and_quarters():
    seconds = np.array([0.0, 86_400 * 31 * 3, -43_200])
    assert date_part(seconds, "days").tolist() == [0, 93, -0.5]
    assert date_part(seconds, "quarter").tolist() == [1, 2, 4]


def test_cyclical_parts_are_points_of_a_circle(tmp_path: Path):
    found = column(tmp_path, ["2024-01-01", "2024-04-01"], kind="date", parts=["month", "year"], cyclical=True)
    np.testing.assert_allclose(found, [[0, 1, 2024], [1, 0, 2024]], atol=1e-6)


def test_dates_are_scaled_by_the_training_rows_and_gaps_filled(tmp_path: Path):
    cells = ["2020-06-01", "2024-06-01", "?"]
    spec = {"kind": "date", "parts": ["year"], "scaling": "min_max", "missing": "indicator"}
    found = column(tmp_path, cells, ["2028-01-01", "NA"], **spec)
    assert found.tolist() == [[2, 0], [0.5, 1]]


def test_other_forms_of_dates(tmp_path: Path):
    assert column(tmp_path, ["31.12.2024"], kind="date", format="%d.%m.%Y").tolist() == [[2024, 12, 31, 1]]
    with pytest.raises(DataError) as caught:
        column(tmp_path, ["2024-01-01", "31.12.2024"], kind="date")
    message = "t.csv, line 3, column `a`: expected a date or time such as 2024-12-31 or 2024-12-31T23:59:59, found"
    assert message in caught.value.message
    assert "`format`" in str(caught.value.hint)


def test_numbers_are_clipped_at_quantiles_of_the_training_rows(tmp_path: Path):
    cells = [str(value) for value in range(101)]
    found = column(tmp_path, cells, ["-5", "50", "1000"], clip=[0.1, 0.9])
    assert found.ravel().tolist() == [10, 50, 90]
    assert column(tmp_path, cells, clip=[0.1, 0.9], scaling="min_max").max() == 1


@pytest.mark.parametrize(
    ("transform", "value"), [("log", math.log(8)), ("log1p", math.log(9)), ("signed_log1p", math.log(9))]
)
def test_logarithms(tmp_path: Path, transform: str, value: float):
    assert column(tmp_path, ["8", "1"], transform=transform)[0, 0] == pytest.approx(value)
    assert column(tmp_path, ["8", "1"], transform=transform, scaling="min_max").ravel().tolist() == [1, 0]


def test_signed_logarithms_take_all_numbers(tmp_path: Path):
    assert column(tmp_path, ["-8", "0"], transform="signed_log1p").ravel().tolist() == pytest.approx([-math.log(9), 0])


@pytest.mark.parametrize(("transform", "bad"), [("log", "0"), ("log1p", "-1"), ("log", "-2")])
def test_what_has_no_logarithm_is_named(tmp_path: Path, transform: str, bad: str):
    with pytest.raises(DataError) as caught:
        column(tmp_path, ["1", bad, "3"], transform=transform, scaling="standardize")
    assert f"t.csv, line 3, column `a`: `transform: {transform}` needs a number greater than" in caught.value.message


INTEGER = {"kind": "categorical", "encoding": "integer"}


def test_categories_as_whole_numbers(tmp_path: Path):
    found = column(tmp_path, ["b", "a", "c"], ["c", "z", "a"], **INTEGER)
    assert found.dtype == np.int32
    assert found.ravel().tolist() == [3, 0, 1]
    assert column(tmp_path, ["b", "a"], ["?", "b"], missing="zero", **INTEGER).ravel().tolist() == [0, 2]
    assert column(tmp_path, ["b", "a", "b"], ["?", "a"], missing="median", **INTEGER).ravel().tolist() == [2, 1]
    with pytest.raises(DataError, match="line 2, column `a`: unknown category"):
        column(tmp_path, ["b", "a"], ["z"], unseen="refuse", **INTEGER)


def test_the_embedding_needs_room_for_them(tmp_path: Path):
    with pytest.raises(DataError, match="there are 4 categories and one for what is missing, the model takes numbers"):
        prepared(tmp_path, "a\nx\ny\nz\n", {INPUT: 3}, columns={"a": INTEGER})


def test_texts_become_tokens(tmp_path: Path):
    spec = {"kind": "text", "length": 4}
    found = column(tmp_path, ["the cat", "the big dog runs off"], ["a dog. the"], **spec)
    assert found.tolist() == [[1, 5, 1, 2]], "`the` comes first as the most frequent, then `big`, `cat`, `dog`, `runs`"
    whole = column(tmp_path, ["aab"], kind="text", unit="character", length=5, vocabulary=["b"])
    assert whole.tolist() == [[1, 1, 2, 0, 0]]


MIXED = """\
data:
  type: csv
  path: t.csv
  target: y
  features: {numbers: [size], city: [city], note: [note]}
  columns:
    city: {kind: categorical, encoding: integer}
    note: {kind: text, length: 3}
architecture:
  inputs: [numbers, city, note]
  layers:
    - {type: embedding, name: where, input_dim: 4, output_dim: 2, inputs: [city]}
    - {type: flatten, name: place}
    - {type: embedding, input_dim: 9, output_dim: 2, inputs: [note]}
    - {type: flatten, name: words}
    - {type: concatenate, inputs: [numbers, place, words]}
    - {type: dense, units: 1}
loss: mse
optimizer: adam
"""


def test_several_inputs_by_groups_of_columns(tmp_path: Path):
    from trainer_cli.training.preparation import plan_phases

    (tmp_path / "t.csv").write_text("size,city,note,y\n1,Rome,so so,3\n2,Oslo,well,4\n")
    (plan,) = plan_phases(load_text(MIXED, tmp_path / "c.yaml").config, tmp_path)
    found = plan.dataset.train.inputs
    assert found["city"].tolist() == [[2], [1]]
    assert found["note"].tolist() == [[2, 2, 0], [3, 0, 0]]
    assert found["numbers"].tolist() == [[1], [2]]


@pytest.mark.parametrize(
    "spec",
    [
        {"clip": [0.1, 0.9], "transform": "log1p"},
        {"kind": "categorical", "unseen": "column"},
        INTEGER,
        {"kind": "categorical", "encoding": "hashing", "num_bins": 7},
        {"kind": "boolean", "scaling": "min_max"},
        {"kind": "date", "parts": ["year"], "cyclical": True},
        {"kind": "text", "length": 5},
    ],
)
def test_a_resolved_config_is_read_as_it_is_and_has_no_keys_of_other_kinds(spec: dict[str, Any]) -> None:
    made = ColumnSpec.model_validate(spec)
    written = made.model_dump(mode="json")
    again = ColumnSpec.model_validate(written)
    assert (again, again.model_dump(mode="json")) == (made, written)
    assert {"kind", *spec} <= set(written) < set(ColumnSpec.model_fields)
    # Checkpoints of earlier versions hold all keys.
    every = {key: getattr(made, key) for key in ColumnSpec.model_fields}
    assert ColumnSpec.model_validate(every) == made


def test_a_model_of_columns_answers_from_its_checkpoint(tmp_path: Path) -> None:
    text = MIXED.replace("encoding: integer", "encoding: hashing, num_bins: 4") + "fit: {epochs: 1}\n"
    (tmp_path / "t.csv").write_text("size,city,note,y\n1,Rome,so so,3\n2,Oslo,well,4\n")
    options = FitOptions(run_directory=tmp_path / "run", target="reference")
    assert list(fit(load_text(text, tmp_path / "c.yaml"), options))
    (found,) = predict(tmp_path / "run", data=tmp_path / "t.csv", target="reference").values()
    assert found.values.shape == (2, 1)


@pytest.mark.parametrize("kind", [INTEGER, {"kind": "text"}])
def test_whole_numbers_share_no_input(tmp_path: Path, kind: dict[str, Any]):
    (tmp_path / "t.csv").write_text("a,b\nx,1\n")
    with pytest.raises(ConfigError, match="shares an input with others") as caught:
        Csv(path="t.csv", columns={"a": kind}).signature(tmp_path)
    assert caught.value.problems[0].hint == "give it one of its own: `features: {a: [a], …}`"


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ({"parts": ["year"]}, "`parts` is not for numeric columns"),
        ({"kind": "text", "missing": "zero"}, "`missing` is not for text columns"),
        ({"kind": "date", "parts": ["year", "year"]}, "a part is named twice"),
        ({"kind": "date", "scaling": "unit"}, "parts of dates are not divided by 255"),
        ({"clip": [0.9, 0.1]}, "expected two fractions"),
        ({"kind": "text", "vocabulary": ["a", "a"]}, "the token `a` is named twice"),
        ({"missing": "indicator", **INTEGER}, "has no place for an indicator"),
    ],
)
def test_refused_columns(spec: dict[str, Any], message: str):
    with pytest.raises(ValueError, match=message):
        Csv(path="t.csv", columns={"a": spec})


def test_messages_stand_at_the_key():
    text = "data: {type: csv, path: t.csv, columns: {a: {kind: date, cyclic: true}}}\narchitecture: []"
    with pytest.raises(ConfigError) as caught:
        load_text(text, Path("c.yaml"))
    problem = caught.value.problems[0]
    assert problem.message == "data.columns.a: unknown key `cyclic`"
    assert problem.hint == "did you mean `cyclical`?"
    assert problem.place is not None
    assert problem.place.column == 58
