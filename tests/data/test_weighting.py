"""How much rows count: weights by class and by row, as sources read them and as training multiplies by them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from trainer_cli.data.prepare import Dataset, apply, prepare
from trainer_cli.data.source import SAMPLE_WEIGHT, Source, Split, class_weight_name
from trainer_cli.data.targets import TargetEncoding, TargetSpec
from trainer_cli.data.weighting import balanced, with_class_weights
from trainer_cli.errors import ConfigError, DataError
from trainer_cli.parts.families import SOURCES, read_part

LABELS = TargetSpec("labels", (3,))


def source(**keys: Any) -> Source:
    made = read_part(SOURCES, keys)
    assert isinstance(made, Source)
    return made


def prepared(made: Source, folder: Path) -> Dataset:
    return prepare(made, folder, {"target": LABELS}, 3)


def write(folder: Path, kind: str, weights: list[Any]) -> Source:
    """Eight rows of every kind of file whose feature is the row's number and whose weights are these."""
    rows = list(enumerate(weights))
    if kind == "csv":
        text = "".join(f"{row},{weight},{row % 3}\n" for row, weight in rows)
        (folder / "rows.csv").write_text("a,w,label\n" + text)
        return source(type="csv", path="rows.csv", target="label", sample_weight="w", split={"validation": 0.25})
    if kind == "json_lines":
        lines = [json.dumps({"a": row, "w": weight, "label": row % 3}) for row, weight in rows]
        (folder / "rows.jsonl").write_text("\n".join(lines))
        keys = {"path": "rows.jsonl", "input": "a", "target": "label"}
        return source(type="json_lines", sample_weight="w", split={"validation": 0.25}, **keys)
    numbers = np.arange(len(rows))
    np.savez(folder / "rows.npz", x=numbers[:, None] * 1.0, y=numbers % 3, w=np.asarray(weights))
    return source(type="npz", path="rows.npz", sample_weight="w", split={"validation": 0.25})


@pytest.mark.parametrize("kind", ["csv", "json_lines", "npz"])
def test_weights_go_with_their_rows_into_the_parts(kind: str, tmp_path: Path) -> None:
    dataset = prepared(write(tmp_path, kind, [0.0, 1.5, 2.0, 3.0, 4.0, 5.0, 6.0, 7.25]), tmp_path)
    weights = np.asarray([0.0, 1.5, 2, 3, 4, 5, 6, 7.25], np.float32)
    assert dataset.validation is not None
    seen = []
    for part in (dataset.train, dataset.validation):
        numbers = part.inputs["input"][:, 0].astype(int)
        assert part.inputs["input"].shape[1] == 1, "the column of weights is no feature"
        np.testing.assert_array_equal(part.weights[SAMPLE_WEIGHT], weights[numbers])
        assert part.weights[SAMPLE_WEIGHT].dtype == np.float32
        seen += list(numbers)
    assert sorted(seen) == list(range(8))


@pytest.mark.parametrize("kind", ["csv", "json_lines", "npz"])
@pytest.mark.parametrize(
    ("weights", "message"), [([1.0, -2.0, 1.0, 1.0], "is -2, below 0"), ([0.0] * 4, "all sample weights `w` are 0")]
)
def test_weights_that_cannot_be_are_refused(kind: str, weights: list[float], message: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=message):
        prepared(write(tmp_path, kind, weights), tmp_path)


def test_a_weight_that_is_no_number_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="line 3, column `w`: expected a number, found `heavy`"):
        prepared(write(tmp_path, "csv", [1, "heavy", 1, 1]), tmp_path)


@pytest.mark.parametrize("kind", ["csv", "json_lines", "npz"])
def test_new_data_may_lack_the_weights_but_the_config_s_own_may_not(kind: str, tmp_path: Path) -> None:
    made = write(tmp_path, kind, [1.0, 2.0, 3.0, 4.0])
    encoding = prepared(made, tmp_path).encoding
    own = tmp_path / {"csv": "rows.csv", "json_lines": "rows.jsonl", "npz": "rows.npz"}[kind]
    with_weights = apply(encoding, made, tmp_path, file=own)
    np.testing.assert_array_equal(with_weights.weights[SAMPLE_WEIGHT], np.float32([1, 2, 3, 4]))
    assert not apply(encoding, made, tmp_path, file=own, with_target=False).weights
    new = tmp_path / f"new{own.suffix}"
    if kind == "csv":
        new.write_text("a,label\n5,1\n")
    elif kind == "json_lines":
        new.write_text('{"a": 5, "label": 1}\n')
    else:
        np.savez(new, x=np.ones((1, 1)), y=np.ones(1, int))
    found = apply(encoding, made, tmp_path, file=new)
    assert found.rows == 1
    assert not found.weights
    new.rename(own)
    with pytest.raises(DataError, match=r"no (column|key|array) `w`|there is no key `w`"):
        prepared(made, tmp_path)


def test_an_array_of_weights_has_a_number_for_each_row(tmp_path: Path) -> None:
    np.savez(tmp_path / "rows.npz", x=np.ones((4, 2)), y=np.arange(4) % 3, w=np.ones((4, 2)), v=np.ones(3))
    made = source(type="npz", path="rows.npz", sample_weight="w")
    with pytest.raises(DataError, match="one number per row"):
        prepared(made, tmp_path)
    with pytest.raises(DataError, match="array `v`: has 3 rows, `x` has 4"):
        prepared(source(type="npz", path="rows.npz", sample_weight="v"), tmp_path)


def test_parts_of_an_archive_have_weights_of_their_own(tmp_path: Path) -> None:
    x, y = np.ones((4, 2)), np.arange(4) % 3
    np.savez(tmp_path / "rows.npz", x=x, y=y, w=y + 1.0, xv=x[:2], yv=y[:2], wv=[7.0, 8.0])
    parts = {"validation_input": "xv", "validation_target": "yv"}
    made = source(type="npz", path="rows.npz", sample_weight="w", validation_sample_weight="wv", **parts)
    held = prepared(made, tmp_path).validation
    assert held is not None
    np.testing.assert_array_equal(held.weights[SAMPLE_WEIGHT], [7, 8])
    with pytest.raises(ValueError, match="validation_sample_weight` goes with"):
        source(type="npz", path="rows.npz", sample_weight="w", **parts)


def test_the_target_is_no_weight() -> None:
    with pytest.raises(ValueError, match="the target `a` cannot be the rows' weight"):
        source(type="csv", path="x.csv", target=["a", "b"], sample_weight="a")


def test_balanced_classes_weigh_the_same_and_all_rows_what_they_did() -> None:
    classes = np.asarray([0, 0, 0, 2, 0, 2])
    table = balanced(classes, 4)
    np.testing.assert_allclose(table, [6 / (2 * 4), 1, 6 / (2 * 2), 1])  # classes 1 and 3 have no rows
    assert table[classes].sum() == pytest.approx(6)
    weights = np.asarray([1, 0, 0, 2, 0.5, 0], np.float32)
    table = balanced(classes, 3, weights)
    total = [(table[classes] * weights)[classes == number].sum() for number in (0, 2)]
    assert total == pytest.approx([1.75, 1.75])


def test_classes_of_every_place_are_weighted() -> None:
    labels = np.asarray([[0, 1], [1, 1]], np.int32)
    split = Split({"input": np.ones((2, 1), np.float32)}, {"target": labels}, 2)
    encoding = TargetEncoding("labels", (), (2, 2), (0, 1))
    found = with_class_weights(split, {"target": ({"1": 0.25}, ("class_weight",))}, {"target": encoding})
    np.testing.assert_array_equal(found.weights[class_weight_name("target")], [[1, 0.25], [0.25, 0.25]])
    assert not split.weights


@pytest.mark.parametrize(
    ("weights", "place", "message"),
    [
        ({"cat": 1.0, "dgo": 2.0}, ("class_weight", "dgo"), "the target has no class `dgo`"),
        ({"3": 1.0}, ("class_weight", "3"), "the target has no class `3`"),
        ({"cat": 0.0, "dog": 0.0, "2": 0.0}, ("class_weight",), "every class of the training rows has the weight 0"),
    ],
)
def test_classes_are_named_or_numbered(weights: dict[str, float], place: tuple[str, ...], message: str) -> None:
    split = Split({"input": np.ones((2, 1), np.float32)}, {"target": np.asarray([0, 2], np.int32)}, 2)
    encoding = TargetEncoding("labels", (), (3,), ("cat", "dog", "eel"))

    def given(each: dict[str, float]) -> Any:
        found = with_class_weights(split, {"target": (each, ("class_weight",))}, {"target": encoding})
        return found.weights[class_weight_name("target")].tolist()

    assert given({"cat": 3.0, "2": 0.5}) == [3.0, 0.5]
    with pytest.raises(ConfigError) as caught:
        given(weights)
    (problem,) = caught.value.problems
    assert (problem.message, problem.path) == (message, place)
