"""Running texts as mapped data: the windows and the vocabulary of loaded data, wherever blocks end; read in blocks."""

from __future__ import annotations

import gzip
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.same_rows import assert_same, assert_same_data
from trainer_cli.data import mapped, running_text, stored_array, survey_sequences, tokens
from trainer_cli.data.prepare import apply, blocks, prepare
from trainer_cli.data.source import INPUT, TARGET
from trainer_cli.data.sources import text as text_source
from trainer_cli.data.sources.text import Text
from trainer_cli.data.survey_sequences import text_outline
from trainer_cli.data.targets import TargetSpec
from trainer_cli.data.weighting import with_class_weights
from trainer_cli.errors import DataError

LABELS = {TARGET: TargetSpec("labels")}
SPLIT = {"validation": 0.2, "test": 0.1}


def written(folder: Path) -> list[str]:
    """Three files, one of them packed, whose borders fall into words and line ends."""
    draw = random.Random(4)
    words = ["The", "the", "dog’s", "ΟΔΟΣ", "Straße", "don't", "!", "\r\n", "\n", "漢字", "🙂", "é", "x_1", "\r"]
    for number in range(2):
        text = " ".join(draw.choices(words, range(len(words), 0, -1), k=400)) + "wor\r"
        (folder / f"{number}.txt").write_bytes(("\ufeff" * number + text).encode())
    (folder / "2.txt.gz").write_bytes(gzip.compress(("\nd " + "rare ".join(words)).encode()))
    (folder / "own.txt").write_text("the dog’s new ΟΔΟΣ " * 9)
    return ["[01].txt", "2.txt.gz"]


def shrink(monkeypatch: pytest.MonkeyPatch, size: int = 5) -> None:
    """Blocks so small that everything there is lies on a border."""
    monkeypatch.setattr(running_text, "_BLOCK_BYTES", size)
    monkeypatch.setattr(tokens, "_TOKENS_AT_ONCE", 7)
    monkeypatch.setattr(stored_array, "_BLOCK_ROWS", 3)


OPTIONS: list[dict[str, Any]] = [
    {},
    {"lowercase": True, "split": SPLIT},
    {"stride": 3, "split": SPLIT},
    {"stride": 30},
    {"target": "next_token", "stride": 2, "split": SPLIT},
    {"target": None, "validation_path": "own.txt"},
    {"unit": "word", "split": SPLIT},
    {"unit": "word", "lowercase": True, "vocabulary_size": 9, "stride": 1},
    {"unit": "word", "vocabulary": ["dog’s", "the", "fox"], "test_path": "own.txt"},
    {"unit": "word", "validation_path": "own.txt", "test_path": ["own.txt", "0.txt"]},
    {"unit": "byte", "split": SPLIT, "lowercase": True},
    {"unit": "byte", "vocabulary_size": 20},
    {"vocabulary": ["e", "the", "t"], "split": SPLIT},
]


@pytest.mark.parametrize("options", OPTIONS, ids=lambda options: " ".join(map(str, options.values())) or "plain")
def test_mapped_text_is_what_loaded_text_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: dict[str, Any]):
    given = {"path": written(tmp_path), "length": 8, **options}
    targets = {} if options.get("target", "") is None else LABELS
    expected = prepare(Text(**given), tmp_path, targets, 0)
    applied = {part: apply(expected.encoding, Text(**given), tmp_path, part=part) for part in ("train", None)}
    shrink(monkeypatch)
    source, cache = Text(**given, memory="mapped"), tmp_path / "cache"
    assert_same_data(prepare(source, tmp_path, targets, 0, cache=cache), expected)
    with monkeypatch.context() as patch:
        patch.setattr(Text, "stored", lambda *_: pytest.fail("converted again"))
        again = prepare(source, tmp_path, targets, 0, cache=cache)
        assert_same_data(again, expected)
    for part, split in applied.items():
        assert_same(apply(again.encoding, source, tmp_path, part=part, cache=cache), split)
    new = tmp_path / "own.txt"
    found = apply(again.encoding, source, tmp_path, file=new, cache=cache)
    assert_same(found, apply(expected.encoding, Text(**given), tmp_path, file=new))


@pytest.mark.parametrize("form", ["labels", "one_hot"])
def test_targets_in_every_form(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, form: Any):
    given = {"path": written(tmp_path), "length": 8, "unit": "word", "vocabulary_size": 6}
    targets = {TARGET: TargetSpec(form, (8, 6) if form == "one_hot" else None)}
    expected = prepare(Text(**given), tmp_path, targets, 0)
    shrink(monkeypatch)
    assert_same_data(prepare(Text(**given, memory="mapped"), tmp_path, targets, 0, cache=tmp_path / "c"), expected)


@pytest.mark.parametrize("weights", ["balanced", {"t": 3.0, "e": 0.5}])
def test_weights_of_classes_are_in_files_as_the_windows_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, weights: Any
):
    given = {"path": written(tmp_path), "length": 8}
    found = {}
    for memory in ("loaded", "mapped"):
        cache = tmp_path / "cache" if memory == "mapped" else None
        data = prepare(Text(**given, memory=memory), tmp_path, LABELS, 0, cache=cache)
        found[memory] = with_class_weights(data.train, {TARGET: (weights, ("class_weight",))}, data.encoding.targets)
        monkeypatch.setattr("trainer_cli.data.weighting._NUMBERS_AT_ONCE", 21)
    assert_same(found["mapped"], found["loaded"])
    (values,) = found["mapped"].weights.values()
    assert isinstance(values.base, np.memmap)
    assert np.unique(values).size > 2
    (place,) = (tmp_path / "cache").iterdir()
    assert sorted(path.name for path in place.iterdir()) == ["index.json", "train.inputs.0", "train.targets.0"]


def test_a_token_is_stored_once_before_it_is_in_windows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "t.txt").write_text("abcdefgh" * 50)
    kept, encoded = [], mapped._encoded

    def encoding(folder: Path, *arguments: Any) -> Any:
        kept.append(sum(path.stat().st_size for path in folder.glob("raw.*")))
        return encoded(folder, *arguments)

    monkeypatch.setattr(mapped, "_encoded", encoding)
    source = Text(path="t.txt", length=16, stride=1, memory="mapped")
    found = prepare(source, tmp_path, LABELS, 0, cache=tmp_path / "cache")
    assert kept == [400 * 4]
    assert found.train.inputs[INPUT].nbytes == 384 * 16 * 4


def test_texts_that_are_too_large_to_be_loaded_can_be_mapped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(text_source, "_MOST_BYTES", 1 << 20)
    (tmp_path / "t.txt").write_text("a lot of text, " * 100_000)
    with pytest.raises(DataError, match="holds more than 1 MiB") as caught:
        prepare(Text(path="t.txt", length=50), tmp_path, LABELS, 0)
    assert caught.value.hint == "`memory: mapped` reads it in blocks"
    source = Text(path="t.txt", length=50, memory="mapped")
    found = prepare(source, tmp_path, LABELS, 0, cache=tmp_path / "cache")
    assert found.train.rows == 29_999
    predicted = list(blocks(found.encoding, Text(path="t.txt", length=50), tmp_path / "t.txt", 1000))
    assert [split.rows for split in predicted] == [1000] * 30


@pytest.mark.parametrize("memory", ["loaded", "mapped"])
@pytest.mark.parametrize(
    ("content", "options", "message"),
    [
        (b"abc", {}, "the text has 3 tokens, a window and what follows takes 9"),
        (b"", {}, "the text has 0 tokens, a window and what follows takes 9"),
        (b"", {"unit": "word"}, "the text has 0 tokens, a window and what follows takes 9"),
        (b"ab" * 50, {"split": {"test": 0.05}}, "the test part has 5 tokens, a window and what follows takes 9"),
        (b"one\ntwo \xff" * 9, {}, "line 2: byte 0xff is not UTF-8"),
        (b"one\ntwo\n" * 9 + b"\0", {"unit": "word"}, "line 19: holds a NUL byte"),
    ],
)
def test_messages_are_the_same(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    content: bytes,
    options: dict[str, Any],
    message: str,
    memory: str,
):
    shrink(monkeypatch)
    (tmp_path / "t.txt").write_bytes(content)
    cache = tmp_path / "cache" if memory == "mapped" else None
    with pytest.raises(DataError) as caught:
        prepare(Text(path="t.txt", length=8, memory=memory, **options), tmp_path, LABELS, 0, cache=cache)
    assert caught.value.message in (f"{tmp_path}/t.txt, {message}", f"{tmp_path}/t.txt: {message}")
    assert cache is None or list(cache.iterdir()) == []


@pytest.mark.parametrize("memory", ["loaded", "mapped"])
def test_models_that_are_too_small_for_the_vocabulary(tmp_path: Path, memory: str):
    (tmp_path / "t.txt").write_text("abcdef" * 4)
    source = Text(path="t.txt", length=4, memory=memory)
    cache = tmp_path / "cache" if memory == "mapped" else None
    with pytest.raises(DataError, match=r"t\.txt: there are 8 different tokens, the model takes numbers below 7"):
        prepare(source, tmp_path, LABELS, 0, {INPUT: 7}, cache=cache)


def test_more_windows_than_can_be_numbered_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "t.txt").write_text("abcd" * 9)
    monkeypatch.setattr(mapped, "_MOST_ROWS", 30)
    source = Text(path="t.txt", length=4, stride=1, memory="mapped")
    with pytest.raises(DataError, match=r"t\.txt: has 32 rows, at most 30 are trained on") as caught:
        prepare(source, tmp_path, LABELS, 0, cache=tmp_path / "cache")
    assert "`stride`" in (caught.value.hint or "")


@pytest.mark.parametrize("change", ["text", "border", "unit", "vocabulary_size", "stride"])
def test_whatever_shapes_the_windows_makes_new_ones(tmp_path: Path, change: str):
    source = Text(path=written(tmp_path), length=8, memory="mapped", split=SPLIT)
    cache = tmp_path / "cache"
    prepare(source, tmp_path, LABELS, 0, cache=cache)
    if change == "text":
        content = (tmp_path / "0.txt").read_bytes()
        (tmp_path / "0.txt").write_bytes(content.replace(b"The", b"Thy", 1))
    elif change == "border":  # the same bytes, and the end of a file that ends a line is elsewhere
        content = (tmp_path / "0.txt").read_bytes()
        (tmp_path / "0.txt").write_bytes(content[:-1])
        (tmp_path / "1.txt").write_bytes(content[-1:] + (tmp_path / "1.txt").read_bytes())
    else:
        source = source.model_copy(update={change: "word" if change == "unit" else 7})
    found = prepare(source, tmp_path, LABELS, 0, cache=cache)
    assert len(list(cache.iterdir())) == 2
    assert_same_data(found, prepare(source, tmp_path, LABELS, 0))


@pytest.mark.parametrize("damage", ["cut", "gone", "index"])
def test_damaged_windows_are_made_again(tmp_path: Path, damage: str):
    source = Text(path=written(tmp_path), length=8, memory="mapped")
    cache = tmp_path / "cache"
    prepare(source, tmp_path, LABELS, 0, cache=cache)
    (place,) = cache.iterdir()
    if damage == "cut":
        (place / "train.targets.0").write_bytes(b"1234")
    elif damage == "gone":
        (place / "train.inputs.0").unlink()
    else:
        (place / "index.json").write_text("{")
    assert_same_data(prepare(source, tmp_path, LABELS, 0, cache=cache), prepare(source, tmp_path, LABELS, 0))


@pytest.mark.parametrize("memory", ["loaded", "mapped"])
def test_parts_of_a_text_that_changed_are_unknown(tmp_path: Path, memory: str):
    source = Text(path=written(tmp_path), length=8, split=SPLIT, memory=memory)
    cache = tmp_path / "cache" if memory == "mapped" else None
    encoding = prepare(source, tmp_path, LABELS, 0, cache=cache).encoding
    (tmp_path / "0.txt").write_text("the " * 100)
    with pytest.raises(DataError, match="has changed since training"):
        apply(encoding, source, tmp_path, part="test", cache=cache)


@pytest.mark.parametrize("unit", ["character", "word", "byte"])
@pytest.mark.parametrize("stride", [None, 1, 5, 8, 11, 400])
@pytest.mark.parametrize("most", [1, 4, 10_000])
def test_new_text_is_predicted_from_in_blocks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, unit: Any, stride: int | None, most: int
):
    source = Text(path=written(tmp_path), length=8, stride=stride, unit=unit, vocabulary_size=12, split=SPLIT)
    encoding = prepare(source, tmp_path, LABELS, 0).encoding
    expected = apply(encoding, source, tmp_path, file=tmp_path / "0.txt", with_target=False)
    shrink(monkeypatch, 64)
    found = list(blocks(encoding, source, tmp_path / "0.txt", most))
    assert all(0 < split.rows <= most for split in found)
    assert all(split.rows == most for split in found[:-1])
    assert np.array_equal(np.concatenate([split.inputs[INPUT] for split in found]), expected.inputs[INPUT])
    (tmp_path / "short.txt").write_text("no end")
    tokens_there = 2 if unit == "word" else 6
    with pytest.raises(DataError, match=rf"short\.txt: the text has {tokens_there} tokens, a window takes 8"):
        list(blocks(encoding, source, tmp_path / "short.txt", most))


def test_a_config_for_a_long_text_maps_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    path = tmp_path / "t.txt"
    path.write_text("How many letters are there? " * 9)
    outline = text_outline(path, str)
    loaded = Text(path="t.txt", length=1).read(tmp_path)
    assert outline.tokens == loaded.inputs[INPUT].tokens
    assert outline.about.endswith("252 characters")
    assert "memory" not in outline.keys
    monkeypatch.setattr(survey_sequences, "_MOST_LOADED", 200)
    shrink(monkeypatch)
    mapped = text_outline(path, str)
    assert mapped.keys.pop("memory").value == "mapped"
    assert mapped == outline
    path.write_text("H")
    with pytest.raises(DataError, match=r"t\.txt: has 1 characters, too few"):
        text_outline(path, str)
