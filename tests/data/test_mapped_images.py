"""Images as mapped data: the pixels, labels and weights of loaded data; decoded in blocks, and again when a file is."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.same_rows import assert_same, assert_same_data
from trainer_cli.data import pictures, stored_array
from trainer_cli.data.prepare import apply, blocks, prepare
from trainer_cli.data.source import INPUT, SAMPLE_WEIGHT, TARGET
from trainer_cli.data.sources import images
from trainer_cli.data.sources.images import Images
from trainer_cli.data.targets import TargetSpec
from trainer_cli.errors import DataError

Image = pytest.importorskip("PIL.Image", reason="needs the extra `images`")

LABELS = {TARGET: TargetSpec("labels")}
NUMBERS = {TARGET: TargetSpec("values", (1,))}
SPLIT = {"validation": 0.2, "test": 0.1, "stratify": True}


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stored_array, "_BLOCK_ROWS", 7)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three classes of which no block holds all; in `even` all images are of one size, in `odd` each of its own."""
    draw = np.random.default_rng(5)
    lines = ["file,label,size,w"]
    for root in ("even", "odd", "own"):
        for number in range(40 if root != "own" else 9):
            name = f"{['cat', 'dog', 'eel'][number * 3 // 40]}/{number:02}.{['png', 'jpg'][number % 2]}"
            size = (6, 5) if root != "odd" else tuple(draw.integers(3, 12, 2))
            path = tmp_path / root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(draw.integers(0, 256, (*size, 3)).astype(np.uint8)).save(path)
            if root == "even":
                lines.append(f"{name},{name[:3]},{size[0] + number / 8},{number % 4}")
    lines[1:] = [lines[1 + row * 7 % 40] for row in range(40)]
    (tmp_path / "labels.csv").write_text("\n".join(lines) + "\n")
    return tmp_path


LISTED = {"path": "even", "labels": "labels.csv"}
OPTIONS: list[Any] = [
    ({"path": "even"}, LABELS),
    ({"path": "even", "split": SPLIT, "scaling": "none"}, LABELS),
    ({"path": "even", "split": {"validation": 0.3}, "scaling": "standardize"}, LABELS),
    ({"path": "even", "split": SPLIT, "scaling": "min_max", "color": "grayscale"}, LABELS),
    ({"path": "even", "validation_path": "own", "test_path": "own"}, LABELS),
    ({"path": "even", "test_path": "odd", "size": [4, 5], "split": {"validation": 0.2}}, LABELS),
    ({"path": "odd", "size": [7, 4], "resizing": "crop", "interpolation": "lanczos"}, LABELS),
    ({"path": "odd", "size": [4, 7], "resizing": "pad", "color": "grayscale", "interpolation": "nearest"}, LABELS),
    ({**LISTED, "split": SPLIT}, LABELS),
    ({**LISTED, "split": {"test": 0.2}, "sample_weight": "w"}, LABELS),
    (
        {**LISTED, "label_column": "size", "sample_weight": "w", "target_scaling": "standardize"},
        NUMBERS,
    ),
    ({"path": "odd", "target": False, "size": [5, 5]}, {}),
]


@pytest.mark.parametrize(("given", "targets"), OPTIONS)
def test_mapped_images_are_what_loaded_images_are(
    folder: Path, monkeypatch: pytest.MonkeyPatch, given: dict[str, Any], targets: Any
):
    expected = prepare(Images(**given), folder, targets, 3)
    source, cache = Images(**given, memory="mapped"), folder / "cache"
    assert_same_data(prepare(source, folder, targets, 3, cache=cache), expected)
    with monkeypatch.context() as patch:
        patch.setattr(images, "pixels", lambda *_: pytest.fail("decoded again"))
        again = prepare(source, folder, targets, 3, cache=cache)
    assert_same_data(again, expected)
    assert isinstance(again.train.inputs[INPUT].base, np.memmap)
    for part in ("train", None):
        one = apply(again.encoding, source, folder, part=part, cache=cache)
        assert_same(one, apply(expected.encoding, Images(**given), folder, part=part))
    if "labels" not in given:
        new = folder / "odd"
        one = apply(again.encoding, source, folder, file=new, cache=cache)
        assert_same(one, apply(expected.encoding, Images(**given), folder, file=new))


def test_pixels_are_decoded_some_at_a_time(folder: Path, monkeypatch: pytest.MonkeyPatch):
    made = []
    table = Images._table
    monkeypatch.setattr(
        Images, "_table", lambda self, listing, *rest: made.append(listing.files) or table(self, listing, *rest)
    )
    source = Images(path="even", memory="mapped", split=SPLIT)
    prepare(source, folder, LABELS, 0, cache=folder / "cache")
    assert [len(files) for files in made] == [7] * 5 + [5]
    found = list(blocks(prepare(source, folder, LABELS, 0, cache=folder / "cache").encoding, source, folder / "odd", 9))
    assert [split.rows for split in found] == [9] * 4 + [4]


@pytest.mark.parametrize("most", [1, 9, 1000])
def test_new_images_are_predicted_from_in_blocks(folder: Path, monkeypatch: pytest.MonkeyPatch, most: int):
    source = Images(path="even")
    encoding = prepare(source, folder, LABELS, 0).encoding
    expected = apply(encoding, source, folder, file=folder / "odd", with_target=False).inputs[INPUT]
    found = [split.inputs[INPUT] for split in blocks(encoding, source, folder / "odd", most)]
    assert np.array_equal(np.concatenate(found), expected)
    monkeypatch.setattr(stored_array, "_MOST_BYTES", 6 * 5 * 3 * 4)
    found = [split.inputs[INPUT] for split in blocks(encoding, source, folder / "odd", most)]
    assert max(map(len, found)) <= 4
    assert np.array_equal(np.concatenate(found), expected)


def spoil(folder: Path, how: str) -> None:
    if how == "size":
        Image.fromarray(np.zeros((9, 9, 3), np.uint8)).save(folder / "even" / "eel" / "38.png")
    elif how == "damage":
        path = folder / "even" / "dog" / "20.png"
        path.write_bytes(path.read_bytes()[:60])
    elif how == "part":
        Image.fromarray(np.zeros((9, 9, 3), np.uint8)).save(folder / "own" / "cat" / "08.png")
    elif how == "class":
        (folder / "own" / "fox").mkdir()
        Image.fromarray(np.zeros((6, 5, 3), np.uint8)).save(folder / "own" / "fox" / "1.png")
    elif how == "missing":
        (folder / "even" / "dog" / "20.png").unlink()
    elif how == "weights":
        text = (folder / "labels.csv").read_text()
        (folder / "labels.csv").write_text("\n".join(f"{line[:-1]}0" for line in text.splitlines()[1:]))
        (folder / "labels.csv").write_text("file,label,size,w\n" + (folder / "labels.csv").read_text())


WITH_OWN = {"path": "even", "test_path": "own"}
SPOILT = [
    ("size", WITH_OWN, "even/eel/38.png: is 9 × 9 pixels large, {}/even/cat/00.png is 6 × 5"),
    ("damage", WITH_OWN, "even/dog/20.png: is a damaged image: "),
    ("part", WITH_OWN, "own/cat/08.png: is 9 × 9 pixels large, {}/even/cat/00.png is 6 × 5"),
    ("class", WITH_OWN, "own/fox/1.png: unknown class: expected one of `cat`, `dog`, `eel`, found `fox`"),
    ("units", WITH_OWN, "even/eel/27.jpg: label out of range: the output has 2 units, the column has 3: "),
    ("missing", LISTED, "even/dog/20.png: no such file"),
    ("weights", {**LISTED, "sample_weight": "w"}, "labels.csv: all sample weights `w` are 0, so no row counts"),
]


@pytest.mark.parametrize("memory", ["loaded", "mapped"])
@pytest.mark.parametrize(("how", "given", "message"), SPOILT)
def test_messages_name_the_file(folder: Path, how: str, given: dict[str, Any], message: str, memory: str):
    spoil(folder, how)
    targets = {TARGET: TargetSpec("labels", (2 if how == "units" else 3,))}
    cache = folder / "cache" if memory == "mapped" else None
    with pytest.raises(DataError) as caught:
        prepare(Images(**given, memory=memory), folder, targets, 0, cache=cache)
    assert caught.value.message.startswith(f"{folder}/{message.format(folder)}")
    assert cache is None or not cache.exists() or list(cache.iterdir()) == []


@pytest.mark.parametrize("change", ["pixels", "class", "color", "pillow", "jpeg", "table", "none"])
def test_whatever_decides_the_rows_makes_new_ones(folder: Path, monkeypatch: pytest.MonkeyPatch, change: str):
    given = LISTED if change == "table" else {"path": "even"}
    source, cache = Images(**given, memory="mapped", split={"test": 0.2}), folder / "cache"
    before = prepare(source, folder, LABELS, 0, cache=cache)
    if change == "pixels":
        path = folder / "even" / "dog" / "20.png"
        values = 255 - np.asarray(Image.open(path))
        Image.fromarray(values).save(path)
    elif change == "class":  # the same bytes in the same order
        (folder / "even" / "cat").rename(folder / "even" / "ape")
    elif change == "color":
        source = source.model_copy(update={"color": "grayscale"})
    elif change == "pillow":
        monkeypatch.setattr("PIL.Image.__version__", "0.1")
    elif change == "jpeg":
        monkeypatch.setattr("PIL.features.version", lambda name: "0.1")
    elif change == "table":
        text = (folder / "labels.csv").read_text()
        (folder / "labels.csv").write_text(text.replace("eel,", "ape,"))
    after = prepare(source, folder, LABELS, 0, cache=cache)
    assert len(list(cache.iterdir())) == 1 + (change != "none")
    assert_same_data(after, prepare(source, folder, LABELS, 0))
    if change in ("class", "table"):
        assert after.digest == before.digest or change == "table"
        assert after.encoding.targets[TARGET].classes != before.encoding.targets[TARGET].classes


def test_a_file_that_changed_ends_what_was_known_of_the_parts(folder: Path):
    source, cache = Images(path="even", memory="mapped", split=SPLIT), folder / "cache"
    encoding = prepare(source, folder, LABELS, 0, cache=cache).encoding
    spoil(folder, "missing")
    with pytest.raises(DataError, match=r"even: has changed since training"):
        apply(encoding, source, folder, part="test", cache=cache)


@pytest.mark.parametrize("damage", ["cut", "gone", "index"])
def test_damaged_pixels_are_made_again(folder: Path, damage: str):
    source, cache = Images(**LISTED, sample_weight="w", memory="mapped"), folder / "cache"
    prepare(source, folder, LABELS, 0, cache=cache)
    (place,) = cache.iterdir()
    index = json.loads((place / "index.json").read_text())
    (weights, _, _) = index["splits"]["train"]["weights"][SAMPLE_WEIGHT]
    if damage == "cut":
        (place / weights).write_bytes(b"1234")
    elif damage == "gone":
        (place / "train.inputs.0").unlink()
    else:
        (place / "index.json").write_text("{")
    assert_same_data(prepare(source, folder, LABELS, 0, cache=cache), prepare(source, folder, LABELS, 0))


def test_too_many_images_are_an_error(folder: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(images, "_MOST_FILES", 39)
    for memory in ("loaded", "mapped"):
        cache = folder / "cache" if memory == "mapped" else None
        with pytest.raises(DataError, match=r"even: holds more than 39 images"):
            prepare(Images(path="even", memory=memory), folder, LABELS, 0, cache=cache)


def test_pillow_is_named_with_what_it_reads_jpeg_by():
    found = pictures.pillow_versions()
    assert len(found) == 3
    assert found[0] == Image.__version__
