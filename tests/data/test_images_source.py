"""The images source: layouts, colours and sizes, damaged files, what happens without Pillow."""

from __future__ import annotations

import builtins
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from trainer_cli.data.encoding import Encoding
from trainer_cli.data.prepare import apply, prepare
from trainer_cli.data.source import BYTE_SCALE, INPUT, TARGET
from trainer_cli.data.sources.images import Images
from trainer_cli.data.targets import TargetSpec
from trainer_cli.errors import DataError, ResourceError

Image = pytest.importorskip("PIL.Image", reason="needs the extra `images`")

LABELS = {TARGET: TargetSpec("labels")}


def save(path: Path, values: Any, **options: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.asarray(values)).save(path, **options)
    return path


def plain(height: int, width: int, *color: int) -> np.ndarray:
    return np.broadcast_to(np.asarray(color, np.uint8), (height, width, len(color)))


@pytest.fixture
def flowers(tmp_path: Path) -> Path:
    """Two classes of two and three images of 2 × 3 pixels, each of one colour."""
    for number, name in enumerate(["rose/b.png", "rose/a.PNG", "lily/deep/x.png", "lily/y.png", "lily/z.png"]):
        save(tmp_path / "flowers" / name, plain(2, 3, number, 10 * number, 255))
    (tmp_path / "flowers" / ".hidden").mkdir()
    (tmp_path / "flowers" / "rose" / "notes.txt").write_text("not an image")
    return tmp_path


def test_a_folder_per_class(flowers: Path):
    source = Images(path="flowers")
    assert source.signature(flowers).inputs[INPUT] == ((2, 3, 3), "uint8", BYTE_SCALE)
    dataset = prepare(source, flowers, LABELS, 0)
    pixels = dataset.train.inputs[INPUT]
    assert pixels.dtype == np.uint8
    assert pixels.shape == (5, 2, 3, 3)
    # lily before rose, and within a class by name, what lies deeper behind what lies above.
    assert pixels[:, 0, 0, 0].tolist() == [3, 4, 2, 1, 0]
    assert dataset.train.targets[TARGET].tolist() == [0, 0, 0, 1, 1]
    assert dataset.encoding.targets[TARGET].classes == ("lily", "rose")


def test_grey_is_one_channel(flowers: Path):
    source = Images(path="flowers", color="grayscale")
    assert source.signature(flowers).inputs[INPUT].shape == (2, 3, 1)
    values = source.read(flowers).inputs[INPUT].values
    expected = [round(0.299 * n + 0.587 * 10 * n + 0.114 * 255) for n in (3, 4, 2, 1, 0)]
    np.testing.assert_allclose(values[:, 0, 0, 0].astype(int), expected, atol=1)


@pytest.mark.parametrize(
    ("values", "options"),
    [
        (np.full((2, 2), 77, np.uint8), {}),
        (np.full((2, 2), 77 * 256 + 5, np.uint16), {}),
        (plain(2, 2, 77, 77, 77, 0), {}),
        (np.ones((2, 2), bool), {}),
    ],
    ids=["grey", "16 bits", "alpha", "one bit"],
)
def test_what_else_a_png_may_hold(tmp_path: Path, values: np.ndarray, options: dict[str, Any]):
    save(tmp_path / "t" / "a" / "1.png", values, **options)
    found = Images(path="t").read(tmp_path).inputs[INPUT].values
    assert found.shape == (1, 2, 2, 3)
    assert set(found.ravel()) == {255 if values.dtype == bool else 77}


def test_a_palette(tmp_path: Path):
    (tmp_path / "t" / "a").mkdir(parents=True)
    Image.fromarray(plain(2, 2, 10, 200, 30)).convert("P", palette=Image.Palette.ADAPTIVE).save(tmp_path / "t/a/1.png")
    assert Images(path="t").read(tmp_path).inputs[INPUT].values[0, 0, 0].tolist() == [10, 200, 30]


def test_jpeg(tmp_path: Path):
    save(tmp_path / "t" / "a" / "1.jpeg", plain(16, 16, 200, 100, 50), quality=95)
    save(tmp_path / "t" / "b" / "2.JPG", plain(16, 16, 0, 0, 0), quality=95)
    values = Images(path="t").read(tmp_path).inputs[INPUT].values
    np.testing.assert_allclose(values[0].reshape(-1, 3).mean(axis=0), [200, 100, 50], atol=3)


@pytest.mark.parametrize("resizing", ["stretch", "crop", "pad"])
def test_sizes(tmp_path: Path, resizing: Any):
    left = np.concatenate([plain(4, 4, 255, 0, 0), plain(4, 4, 0, 255, 0)], axis=1)
    save(tmp_path / "t" / "a" / "1.png", left)
    source = Images(path="t", size=[4, 4], resizing=resizing, interpolation="nearest")
    assert source.signature(tmp_path).inputs[INPUT].shape == (4, 4, 3)
    values = source.read(tmp_path).inputs[INPUT].values[0]
    red, green, black = [255, 0, 0], [0, 255, 0], [0, 0, 0]
    assert values[1].tolist() == [red, red, green, green]
    assert values[0].tolist() == ([black] * 4 if resizing == "pad" else [red, red, green, green])


def test_images_of_other_sizes_need_a_size(flowers: Path):
    odd = save(flowers / "flowers" / "rose" / "c.png", plain(3, 3, 1, 1, 1))
    with pytest.raises(DataError) as caught:
        Images(path="flowers").read(flowers)
    assert caught.value.message == f"{odd}: is 3 × 3 pixels large, {flowers}/flowers/lily/y.png is 2 × 3"
    assert caught.value.hint == "give the data a `size`, such as [2, 3]"


def test_a_table_of_labels(flowers: Path):
    (flowers / "labels.csv").write_text("label,file\nred,rose/b.png\nblue,lily/y.png\n")
    source = Images(path="flowers", labels="labels.csv")
    assert source.signature(flowers).inputs[INPUT].shape == (2, 3, 3)
    dataset = prepare(source, flowers, LABELS, 0)
    assert dataset.train.inputs[INPUT][:, 0, 0, 0].tolist() == [0, 3]
    assert dataset.train.targets[TARGET].tolist() == [1, 0]
    (flowers / "ages.csv").write_text("file,age\nrose/b.png,3.5\nlily/y.png,1\n")
    source = Images(path="flowers", labels="ages.csv", label_column="age")
    ages = prepare(source, flowers, {TARGET: TargetSpec("values", (1,))}, 0)
    assert ages.train.targets[TARGET].tolist() == [[3.5], [1.0]]


@pytest.mark.parametrize("name", ["../secret.png", "/etc/secret.png", " "])
def test_labels_name_nothing_outside_the_folder(flowers: Path, name: str):
    (flowers / "labels.csv").write_text(f"label,file\nred,rose/b.png\nred,{name}\n")
    with pytest.raises(DataError, match=r"labels\.csv, line 3, column `file`: `.*` is no file of the folder"):
        Images(path="flowers", labels="labels.csv").read(flowers)


def test_parts_of_their_own(flowers: Path):
    save(flowers / "test" / "lily" / "q.png", plain(2, 3, 9, 9, 9))
    source = Images(path="flowers", test_path="test", split={"validation": 0.4, "stratify": True})
    dataset = prepare(source, flowers, LABELS, 0)
    assert dataset.validation is not None
    assert dataset.test is not None
    assert [dataset.train.rows, dataset.validation.rows, dataset.test.rows] == [3, 2, 1]
    assert source.anchored(flowers).read(Path("/")).rows == 5
    for part in ("train", "test"):
        save(flowers / "all" / part / "lily" / "q.png", plain(2, 3, 9, 9, 9))
    with pytest.raises(DataError, match=r"its folders `test`, `train` look like parts, not classes"):
        Images(path="all").read(flowers)


def test_new_images_are_brought_to_the_size_trained_on(flowers: Path):
    source = Images(path="flowers")
    encoding = Encoding.from_json(prepare(source, flowers, LABELS, 0).encoding.to_json())
    one = save(flowers / "new" / "1.png", plain(8, 12, 50, 60, 70))
    for place in (one, one.parent):
        found = apply(encoding, source, flowers, file=place, with_target=False)
        assert found.inputs[INPUT].shape == (1, 2, 3, 3)
        assert found.inputs[INPUT][0, 0, 0].tolist() == [50, 60, 70]
    save(flowers / "more" / "tulip" / "1.png", plain(2, 3, 1, 1, 1))
    with pytest.raises(DataError, match=r"more/tulip/1\.png: unknown class: expected one of `lily`, `rose`"):
        apply(encoding, source, flowers, file=flowers / "more")


def chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def bomb(width: int, height: int) -> bytes:
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(1000))) + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is neither a PNG nor a JPEG image"),
        (b"GIF89a" + bytes(50), "is neither a PNG nor a JPEG image"),
        (bomb(60_000, 60_000), "pixels"),
        (bomb(10_000, 10_000), "is 10,000 × 10,000 pixels large, more than is read"),
        (bomb(200, 100), "is a damaged image"),
    ],
)
def test_damaged_images_are_named(tmp_path: Path, content: bytes, message: str):
    path = tmp_path / "t" / "a" / "1.png"
    path.parent.mkdir(parents=True)
    path.write_bytes(content)
    with pytest.raises(DataError) as caught:
        Images(path="t", size=[4, 4]).read(tmp_path)
    assert caught.value.message.startswith(f"{path}: ")
    assert message in caught.value.message


@pytest.mark.parametrize("suffix", ["png", "jpg"])
def test_a_file_cut_or_changed_anywhere_is_read_or_refused(tmp_path: Path, suffix: str):
    random = np.random.default_rng(0)
    path = save(tmp_path / "t" / "a" / f"1.{suffix}", random.integers(0, 255, (12, 12, 3)).astype(np.uint8))
    whole = path.read_bytes()
    complaints = []
    for _ in range(150):
        content = bytearray(whole)
        if random.random() < 0.5:
            del content[int(random.integers(len(content))) :]
        else:
            content[int(random.integers(len(content)))] ^= int(random.integers(1, 256))
        path.write_bytes(bytes(content))
        try:
            Images(path="t", size=[4, 4]).read(tmp_path)
        except DataError as error:
            complaints.append(error.message)
    assert len(complaints) > 50
    assert all(complaint.startswith(f"{path}: ") for complaint in complaints)


def test_folders_without_what_is_needed(tmp_path: Path):
    with pytest.raises(DataError, match=r"t: no such file"):
        Images(path="t").signature(tmp_path)
    with pytest.raises(DataError, match=r"t: no such folder"):
        Images(path="t", size=[2, 2]).signature(tmp_path)
    (tmp_path / "t").mkdir()
    with pytest.raises(DataError, match=r"t: holds no folders, which would be the classes"):
        Images(path="t").read(tmp_path)
    (tmp_path / "t" / "a").mkdir()
    with pytest.raises(DataError, match=r"t/a: holds no image \(\.png, \.jpg, \.jpeg\)"):
        Images(path="t").read(tmp_path)


def test_links_that_lead_in_a_circle(flowers: Path):
    (flowers / "flowers" / "rose" / "again").symlink_to(flowers / "flowers", target_is_directory=True)
    assert Images(path="flowers").read(flowers).rows == 5


def test_without_pillow_the_command_that_installs_it(flowers: Path, monkeypatch: pytest.MonkeyPatch):
    ordinary = builtins.__import__

    def without_pillow(name: str, *rest: Any, **options: Any) -> Any:
        if name.partition(".")[0] == "PIL":
            raise ImportError(name)
        return ordinary(name, *rest, **options)

    monkeypatch.setattr(builtins, "__import__", without_pillow)
    with pytest.raises(ResourceError) as caught:
        Images(path="flowers").read(flowers)
    assert caught.value.hint == "pip install 'trainer-cli[images]'"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"labels": "l.csv", "test_path": "test"}, "with `labels`, hold out rows by `split`"),
        ({"split": {"test": 0.1}, "test_path": "test"}, "a split would hold out a second one"),
        ({"size": [0, 4]}, "greater than 0"),
    ],
)
def test_refused_configs(arguments: dict[str, Any], message: str):
    with pytest.raises(ValueError, match=message):
        Images(path="t", **arguments)
