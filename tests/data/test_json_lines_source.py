"""The JSON lines source: numbers, padded sequences as in Keras, tokens with a vocabulary of the training rows alone."""

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
from trainer_cli.data.sources.json_lines import JsonLines
from trainer_cli.data.targets import TargetSpec
from trainer_cli.errors import DataError

LABELS = {TARGET: TargetSpec("labels")}


def write(folder: Path, *rows: Any, name: str = "t.jsonl") -> Path:
    path = folder / name
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def sequences(folder: Path, *values: Any, **sequence: Any) -> np.ndarray:
    write(folder, *({"x": value} for value in values))
    source = JsonLines(path="t.jsonl", input="x", sequence={"length": 4, **sequence})
    found = source.read(folder).inputs[INPUT].values
    assert source.signature(folder).inputs[INPUT].shape == found.shape[1:]
    return found


# The examples of Keras's documentation of `pad_sequences`, and one cut at either end.
@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, [[0, 0, 0, 1], [0, 0, 2, 3], [3, 4, 5, 6]]),
        ({"value": -1.0}, [[-1, -1, -1, 1], [-1, -1, 2, 3], [3, 4, 5, 6]]),
        ({"padding": "post"}, [[1, 0, 0, 0], [2, 3, 0, 0], [3, 4, 5, 6]]),
        ({"truncating": "post"}, [[0, 0, 0, 1], [0, 0, 2, 3], [2, 3, 4, 5]]),
        ({"padding": "post", "truncating": "post"}, [[1, 0, 0, 0], [2, 3, 0, 0], [2, 3, 4, 5]]),
    ],
)
def test_lists_are_padded_and_cut(tmp_path: Path, options: dict[str, Any], expected: list[list[int]]):
    assert sequences(tmp_path, [1], [2, 3], [2, 3, 4, 5, 6], **options).tolist() == expected


def test_vectors_per_step_and_empty_lists(tmp_path: Path):
    found = sequences(tmp_path, [], [[1, 2], [3, 4]], [[5, 6]])
    assert found.shape == (3, 4, 2)
    assert found[1].tolist() == [[0, 0], [0, 0], [1, 2], [3, 4]]
    assert not found[0].any()


def prepared(folder: Path, source: JsonLines, bound: int | None = None) -> Dataset:
    return prepare(source, folder, LABELS if source.target else {}, 0, {INPUT: bound})


def test_tokens_as_text(tmp_path: Path):
    write(
        tmp_path,
        {"words": ["the", "cat", "the"], "kind": "animal"},
        {"words": "Don't the\tcat!", "kind": "advice"},
        {"words": [], "kind": "advice"},
    )
    source = JsonLines(path="t.jsonl", input="words", target="kind", sequence={"length": 4}, vocabulary_size=4)
    assert source.signature(tmp_path).inputs[INPUT] == ((4,), "int32", 1.0)
    dataset = prepared(tmp_path, source, bound=4)
    # the occurs three times, cat twice; the rest is unknown.
    assert dataset.train.inputs[INPUT].tolist() == [[0, 2, 3, 2], [1, 2, 3, 1], [0, 0, 0, 0]]
    assert dataset.train.inputs[INPUT].dtype == np.int32
    assert dataset.train.targets[TARGET].tolist() == [1, 0, 0]
    encoding = Encoding.from_json(json.loads(json.dumps(dataset.encoding.to_json())))
    new = write(tmp_path, {"words": ["dog", "cat"]}, name="new.jsonl")
    assert apply(encoding, source, tmp_path, file=new, with_target=False).inputs[INPUT].tolist() == [[0, 0, 1, 3]]


def test_text_by_its_letters(tmp_path: Path):
    write(tmp_path, {"x": "aab"}, {"x": "ca"})
    source = JsonLines(path="t.jsonl", input="x", sequence={"length": 3, "padding": "post"}, unit="character")
    assert prepared(tmp_path, source).train.inputs[INPUT].tolist() == [[2, 2, 3], [4, 2, 0]]


def test_the_vocabulary_is_that_of_the_training_rows(tmp_path: Path):
    write(tmp_path, *({"x": [f"token{row}", "all"]} for row in range(40)))
    source = JsonLines(path="t.jsonl", input="x", sequence={"length": 2}, split={"validation": 0.5})
    dataset = prepared(tmp_path, source)
    assert dataset.validation is not None
    assert sorted(dataset.train.inputs[INPUT][:, 0]) == list(range(3, 23))
    assert dataset.validation.inputs[INPUT].tolist() == [[1, 2]] * 20


def test_a_vocabulary_of_one_s_own_and_models_without_room(tmp_path: Path):
    write(tmp_path, {"x": ["a", "b"]})
    source = JsonLines(path="t.jsonl", input="x", sequence={"length": 2}, vocabulary=["b", "z"])
    assert prepared(tmp_path, source).train.inputs[INPUT].tolist() == [[1, 2]]
    with pytest.raises(DataError, match="there are 4 different tokens, the model takes numbers below 3"):
        prepared(tmp_path, source, bound=3)


def test_numbers_become_tokens_where_the_model_declares_them(tmp_path: Path):
    write(tmp_path, {"x": [3, 1]}, {"x": [2]})
    source = JsonLines(path="t.jsonl", input="x", sequence={"length": 3})
    assert prepared(tmp_path, source, bound=4).train.inputs[INPUT].tolist() == [[0, 3, 1], [0, 0, 2]]
    with pytest.raises(DataError, match=r"t\.jsonl, line 1, element \[1\]: expected a whole number from 0 to 2"):
        prepared(tmp_path, source, bound=3)


def test_numbers_of_one_shape(tmp_path: Path):
    write(
        tmp_path,
        {"a": 1, "b": True, "m": [[1, 2], [3, 4]], "y": [0.5, 1]},
        {"a": 2.5, "b": False, "m": [[5, 6], [7, 8]], "y": [2, 3]},
    )
    source = JsonLines(path="t.jsonl", input={"row": ["b", "a"], "grid": "m", "one": "a"}, target="y")
    table = source.read(tmp_path)
    assert table.inputs["row"].values.tolist() == [[1, 1], [0, 2.5]]
    assert table.inputs["row"].features == ("b", "a")
    assert table.inputs["grid"].values.shape == (2, 2, 2)
    assert table.inputs["one"].values.tolist() == [[1], [2.5]]
    assert table.targets[TARGET].values.tolist() == [[0.5, 1], [2, 3]]
    signature = source.signature(tmp_path)
    assert {name: given.shape for name, given in signature.inputs.items()} == {"row": (2,), "grid": (2, 2), "one": (1,)}


def test_targets_per_step_are_padded_alike(tmp_path: Path):
    write(tmp_path, {"x": [5, 6], "y": [1, 2]}, {"x": [7], "y": [1]})
    source = JsonLines(path="t.jsonl", input="x", target="y", sequence={"length": 3}, pad_target=True)
    assert prepared(tmp_path, source).train.targets[TARGET].tolist() == [[0, 1, 2], [0, 0, 1]]


def test_several_files_name_their_own_lines(tmp_path: Path):
    write(tmp_path, {"x": 1, "y": "a"}, {"x": 2, "y": "b"}, name="1.jsonl")
    (tmp_path / "2.jsonl.gz").write_bytes(gzip.compress(b'\n{"x": 3, "y": "a"}\n{"x": "four", "y": "b"}\n'))
    source = JsonLines(path=["1.jsonl", "2.jsonl.gz"], input="x", target="y")
    with pytest.raises(DataError, match=r"2\.jsonl\.gz, line 3, key `x`: expected a number, found `four`"):
        source.read(tmp_path)
    (tmp_path / "2.jsonl.gz").write_bytes(gzip.compress(b'\n{"x": 3, "y": "a"}\n{"x": 4, "y": "c"}\n'))
    table = source.read(tmp_path)
    assert table.inputs[INPUT].values.ravel().tolist() == [1, 2, 3, 4]
    assert table.targets[TARGET].origin.at(3) == f"{tmp_path}/2.jsonl.gz, line 3"
    assert table.targets[TARGET].origin.at(1) == f"{tmp_path}/1.jsonl, line 2"


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("[1, 2]", 'line 2: expected an object such as {"key": 1}, found `[1, 2]`'),
        ('{"x": 1', "line 2, column 8: is no JSON: Expecting ',' delimiter"),
        ('{"y": 1}', "line 2: there is no key `x`"),
        ('{"x": null, "y": 1}', "line 2, key `x`: expected a number, found `null`"),
        ('{"x": "1", "y": 1}', "line 2, key `x`: expected a number, found `1`"),
        ('{"x": [1, 2], "y": 1}', "line 2, key `x`: expected one number, found `[1, 2]`"),
        ('{"x": {}, "y": 1}', "line 2, key `x`: expected a number, found `{}`"),
        ('{"x": NaN, "y": 1}', "line 2: expected a finite number, found `NaN`"),
        ('{"x": 1e999, "y": 1}', "line 2, key `x`: expected finite numbers, found `inf`"),
        (
            '{"x": 1' + "0" * 400 + ', "y": 1}',
            "line 2, key `x`: expected a number, found `100000000000000000000000000000000000000…`",
        ),
        ('{"x": 1, "y": "a"}', "line 2, key `y`: expected a number, found `a`"),
        ('{"x": 1, "y": []}', "line 2, key `y`: expected one number, found `[]`"),
        ("[" * 200_000, "line 2: is nested too deeply"),
    ],
)
def test_what_cannot_be_read_is_named(tmp_path: Path, line: str, message: str):
    (tmp_path / "t.jsonl").write_text('{"x": 1, "y": 1}\n' + line + "\n")
    with pytest.raises(DataError) as caught:
        JsonLines(path="t.jsonl", input="x", target="y").read(tmp_path)
    assert caught.value.message == f"{tmp_path}/t.jsonl, {message}"


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ([[1], ["a"]], "line 2, key `x`: expected numbers, the same count in every list, found `['a']`"),
        ([["a"], [1]], "line 2, key `x`: expected a text or a list of texts, found `[1]`"),
        ([["a"], 3], "line 2, key `x`: expected a text or a list of texts, found `3`"),
        ([[1], 3], "line 2, key `x`: expected a list of numbers, found `3`"),
        ([[1], [[3]]], "line 2, key `x`: expected a list of numbers, found `[[3]]`"),
        (
            [[[1, 2]], [[3, 4], [5]]],
            "line 2, key `x`: expected numbers, the same count in every list, found `[[3, 4], [5]]`",
        ),
        ([[[1, 2]], [[3]]], "line 2, key `x`: expected a list of steps of shape (2,), found `[[3]]`"),
    ],
)
def test_sequences_that_do_not_fit_are_named(tmp_path: Path, values: list[Any], message: str):
    with pytest.raises(DataError) as caught:
        sequences(tmp_path, *values)
    assert caught.value.message == f"{tmp_path}/t.jsonl, {message}"


def test_what_the_signature_tells(tmp_path: Path):
    (tmp_path / "t.jsonl").write_text("\n")
    with pytest.raises(DataError, match="holds no rows"):
        JsonLines(path="t.jsonl", input="x").signature(tmp_path)
    write(tmp_path, {"colour": 1})
    with pytest.raises(DataError) as caught:
        JsonLines(path="t.jsonl", input="color").signature(tmp_path)
    assert caught.value.hint == "did you mean `colour`?"
    write(tmp_path, {"x": []})
    with pytest.raises(DataError, match="lists of the first 1000 rows are all empty"):
        JsonLines(path="t.jsonl", input="x", sequence={"length": 3}).signature(tmp_path)
    write(tmp_path, {"x": "a text"})
    with pytest.raises(DataError, match="holds text, which is read as a sequence of tokens"):
        JsonLines(path="t.jsonl", input="x").signature(tmp_path)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"sequence": {"length": 3}, "scaling": "standardize"}, "padded sequences are not scaled"),
        ({"pad_target": True}, "`pad_target` needs `sequence`"),
        ({"sequence": {"length": 0}}, "greater than 0"),
        ({"vocabulary": ["a", "b", "a"]}, "the token `a` is named twice"),
        ({"vocabulary": ["a", "b"], "vocabulary_size": 3}, "the vocabulary has 2 tokens, and two more"),
    ],
)
def test_refused_configs(arguments: dict[str, Any], message: str):
    with pytest.raises(ValueError, match=message):
        JsonLines(path="t.jsonl", input="x", **arguments)
