"""The text source: windows and what follows, a vocabulary from the training text alone, parts that share no token."""

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
from trainer_cli.data.sources.text import Text
from trainer_cli.data.targets import TargetSpec
from trainer_cli.data.vocabulary import PADDING, UNKNOWN
from trainer_cli.errors import DataError

LABELS = {TARGET: TargetSpec("labels")}


def prepared(source: Text, folder: Path, bound: int | None = None) -> Dataset:
    return prepare(source, folder, LABELS if source.target else {}, 0, {INPUT: bound})


def read_back(dataset: Dataset) -> Encoding:
    return Encoding.from_json(json.loads(json.dumps(dataset.encoding.to_json())))


def names_of(dataset: Dataset, numbers: np.ndarray) -> list[str]:
    classes = dataset.encoding.targets[TARGET].classes
    assert classes is not None
    return [str(classes[number]) for number in numbers]


def test_windows_and_the_tokens_that_follow(tmp_path: Path):
    (tmp_path / "t.txt").write_text("abacabad")
    dataset = prepared(Text(path="t.txt", length=3, stride=2), tmp_path)
    # a occurs 4 times, b twice, c and d once each: a = 2, b = 3, c = 4, d = 5.
    assert dataset.encoding.targets[TARGET].classes == (PADDING, UNKNOWN, "a", "b", "c", "d")
    assert dataset.train.inputs[INPUT].tolist() == [[2, 3, 2], [2, 4, 2], [2, 3, 2]]
    assert dataset.train.targets[TARGET].tolist() == [[3, 2, 4], [4, 2, 3], [3, 2, 5]]
    assert dataset.train.inputs[INPUT].dtype == dataset.train.targets[TARGET].dtype == np.int32
    alone = prepared(Text(path="t.txt", length=3, stride=2, target="next_token"), tmp_path)
    assert alone.train.targets[TARGET].tolist() == [4, 3, 5]


def test_windows_lie_side_by_side_unless_a_stride_is_given(tmp_path: Path):
    (tmp_path / "t.txt").write_text("abcdefghij")
    dataset = prepared(Text(path="t.txt", length=3), tmp_path)
    assert ["".join(names_of(dataset, row)) for row in dataset.train.inputs[INPUT]] == ["abc", "def", "ghi"]
    assert ["".join(names_of(dataset, row)) for row in dataset.train.targets[TARGET]] == ["bcd", "efg", "hij"]


@pytest.mark.parametrize(
    ("unit", "extra", "tokens"),
    [
        ("character", {}, ["D", "o", "n", "'", "t", " ", "s", "t", "o", "p", ",", " ", "Ä", "!", "\n"]),
        ("word", {}, ["Don't", "stop", ",", "Ä", "!"]),
        ("word", {"lowercase": True}, ["don't", "stop", ",", "ä", "!"]),
        ("byte", {}, [*"Don't stop, ", "\xc3", "\x84", "!", "\r", "\n"]),
    ],
)
def test_units(tmp_path: Path, unit: Any, extra: dict[str, Any], tokens: list[str]):
    (tmp_path / "t.txt").write_bytes("Don't stop, Ä!\r\n".encode())
    dataset = prepared(Text(path="t.txt", length=len(tokens) - 1, unit=unit, **extra), tmp_path)
    last = dataset.train.targets[TARGET][0, -1:]
    assert names_of(dataset, np.concatenate([dataset.train.inputs[INPUT][0], last])) == tokens


def test_the_rarest_tokens_become_one(tmp_path: Path):
    (tmp_path / "t.txt").write_text("aaabbcca" + "dea")
    dataset = prepared(Text(path="t.txt", length=10, vocabulary_size=5), tmp_path, bound=5)
    assert dataset.encoding.targets[TARGET].classes == (PADDING, UNKNOWN, "a", "b", "c")
    assert dataset.train.inputs[INPUT][0].tolist() == [2, 2, 2, 3, 3, 4, 4, 2, 1, 1]


def test_the_end_of_the_text_is_held_out_and_the_vocabulary_never_sees_it(tmp_path: Path):
    text = "ab" * 30 + "cb" * 10 + "db" * 10
    (tmp_path / "t.txt").write_text(text)
    source = Text(path="t.txt", length=4, split={"validation": 0.2, "test": 0.2})
    dataset = prepared(source, tmp_path)
    assert dataset.validation is not None
    assert dataset.test is not None
    assert dataset.encoding.targets[TARGET].classes == (PADDING, UNKNOWN, "a", "b")
    # 60, 20 and 20 letters give 14, 4 and 4 windows, the last letter of each part being a target alone.
    assert [part.rows for part in (dataset.train, dataset.validation, dataset.test)] == [14, 4, 4]
    assert set(dataset.train.inputs[INPUT].ravel()) == {2, 3}
    for part in (dataset.validation, dataset.test):
        assert part.inputs[INPUT].tolist() == [[1, 3, 1, 3]] * 4


def test_parts_of_their_own(tmp_path: Path):
    (tmp_path / "a.txt").write_text("abab")
    (tmp_path / "b.txt").write_text("abcab")
    source = Text(path="a.txt", length=2, test_path="b.txt")
    assert source.own_parts == ("test",)
    dataset = prepared(source, tmp_path)
    assert dataset.test is not None
    assert dataset.test.inputs[INPUT].tolist() == [[2, 3], [1, 2]]


def test_new_text_is_read_by_the_vocabulary_of_the_training(tmp_path: Path):
    (tmp_path / "t.txt").write_text("aaaabbbcc" * 3)
    source = Text(path="t.txt", length=4, vocabulary_size=4, split={"validation": 0.4})
    encoding = read_back(prepared(source, tmp_path))
    (tmp_path / "new.txt").write_text("bbbbza")
    found = apply(encoding, source, tmp_path, file=tmp_path / "new.txt")
    assert found.inputs[INPUT].tolist() == [[3, 3, 3, 3]]
    assert found.targets[TARGET].tolist() == [[3, 3, 3, 1]]
    (tmp_path / "short.txt").write_text("abza")
    found = apply(encoding, source, tmp_path, file=tmp_path / "short.txt", with_target=False)
    assert found.inputs[INPUT].tolist() == [[2, 3, 1, 2]]
    # The same rows as in training, whatever the config says of the vocabulary by now.
    changed = source.model_copy(update={"vocabulary_size": None})
    again = apply(encoding, changed, tmp_path, part="validation")
    assert np.array_equal(again.inputs[INPUT], apply(encoding, source, tmp_path, part="validation").inputs[INPUT])


@pytest.mark.parametrize("part", ["train", "validation"])
def test_parts_of_a_text_that_changed_are_unknown(tmp_path: Path, part: Any):
    (tmp_path / "t.txt").write_text("ab" * 20)
    source = Text(path="t.txt", length=4, split={"validation": 0.3})
    encoding = read_back(prepared(source, tmp_path))
    (tmp_path / "t.txt").write_text("ab" * 30)
    with pytest.raises(DataError, match=r"t\.txt: has changed since training"):
        apply(encoding, source, tmp_path, part=part)


def test_several_files_and_archives_are_one_text(tmp_path: Path):
    (tmp_path / "2.txt").write_text("cd")
    (tmp_path / "1.txt").write_text("ab")
    (tmp_path / "3.txt.gz").write_bytes(gzip.compress(b"ef"))
    source = Text(path=["*.txt", "3.txt.gz"], length=5)
    assert source.absent(tmp_path) == []
    dataset = prepared(source, tmp_path)
    assert names_of(dataset, dataset.train.inputs[INPUT][0]) == list("abcde")
    assert source.anchored(tmp_path).read(Path("/")).digest == dataset.digest
    with pytest.raises(DataError, match=r"/\*\.md: no file matches"):
        Text(path="*.md", length=5).read(tmp_path)


def test_a_vocabulary_of_one_s_own(tmp_path: Path):
    (tmp_path / "t.txt").write_text("the cat the dog")
    dataset = prepared(Text(path="t.txt", length=3, unit="word", vocabulary=["dog", "the", "fox"]), tmp_path)
    assert dataset.train.inputs[INPUT].tolist() == [[3, 1, 3]]
    assert dataset.train.targets[TARGET].tolist() == [[1, 3, 2]]


def test_the_signature_reads_no_text(tmp_path: Path):
    (tmp_path / "t.txt").write_bytes(b"\xff\xff")
    signature = Text(path="t.txt", length=7).signature(tmp_path)
    assert signature.inputs[INPUT] == ((7,), "int32", 1.0)
    assert signature.targets == (TARGET,)
    with pytest.raises(DataError, match=r"u\.txt: no such file"):
        Text(path="u.txt", length=7).signature(tmp_path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"abc", "t.txt: the text has 3 tokens, a window and what follows takes 9"),
        (b"", "t.txt: the text has 0 tokens, a window and what follows takes 9"),
        (b"one\ntwo \xff three", "t.txt, line 2: byte 0xff is not UTF-8"),
        (b"one\ntwo\n\0three and more", "t.txt, line 3: holds a NUL byte"),
    ],
)
@pytest.mark.parametrize("unit", ["character", "word"])
def test_what_cannot_be_read_is_named(tmp_path: Path, unit: Any, content: bytes, message: str):
    (tmp_path / "t.txt").write_bytes(content)
    with pytest.raises(DataError) as error:
        Text(path="t.txt", length=8, unit=unit).read(tmp_path)
    expected = message.replace("3 tokens", "1 tokens") if unit == "word" else message
    assert error.value.message == f"{tmp_path}/{expected}"


def test_a_part_without_a_window_is_named(tmp_path: Path):
    (tmp_path / "t.txt").write_text("ab" * 50)
    with pytest.raises(DataError, match=r"the test part has 5 tokens, a window and what follows takes 9"):
        Text(path="t.txt", length=8, split={"test": 0.05}).read(tmp_path)


def test_a_small_archive_of_endless_text_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("trainer_cli.data.sources.text._MOST_BYTES", 1 << 21)
    (tmp_path / "t.txt.gz").write_bytes(gzip.compress(b"a" * (3 << 20)))
    with pytest.raises(DataError, match=r"holds more than 2 MiB"):
        Text(path="t.txt.gz", length=8).read(tmp_path)


def test_models_that_are_too_small_for_the_vocabulary(tmp_path: Path):
    (tmp_path / "t.txt").write_text("abcdef" * 4)
    source = Text(path="t.txt", length=4)
    with pytest.raises(DataError, match="there are 8 different tokens, the model takes numbers below 7") as caught:
        prepared(source, tmp_path, bound=7)
    assert caught.value.hint is not None
    assert "`input_dim` to 8" in caught.value.hint
    with pytest.raises(DataError, match="there are 8 classes, but the output has 6 units"):
        prepare(source, tmp_path, {TARGET: TargetSpec("labels", (4, 6))}, 0, {INPUT: 8})


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"scaling": "unit"}, "tokens are never scaled"),
        ({"split": {"test": 0.1, "stratify": True}}, "a text is split by position"),
        ({"vocabulary": ["a", "b", "a"]}, "the token `a` is named twice"),
        ({"vocabulary": ["a", "b"], "vocabulary_size": 3}, "the vocabulary has 2 tokens, and two more"),
        ({"split": {"test": 0.1}, "test_path": "u.txt"}, "a split would hold out a second one"),
    ],
)
def test_refused_configs(arguments: dict[str, Any], message: str):
    with pytest.raises(ValueError, match=message):
        Text(path="t.txt", length=4, **arguments)
