"""The IDX source: MNIST's file names and format, and headers that lie."""

from __future__ import annotations

import gzip
import struct
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from trainer_cli.data.files import digest
from trainer_cli.data.source import INPUT, TARGET
from trainer_cli.data.sources.idx import Idx
from trainer_cli.errors import DataError

IMAGES = "train-images-idx3-ubyte"
LABELS = "train-labels-idx1-ubyte"


def idx(array: np.ndarray) -> bytes:
    return struct.pack(f">BBBB{array.ndim}I", 0, 0, 8, array.ndim, *array.shape) + array.astype(np.uint8).tobytes()


def write(folder: Path, name: str, content: bytes | np.ndarray) -> Path:
    data = idx(content) if isinstance(content, np.ndarray) else content
    path = folder / name
    path.write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
    return path


def pictures(count: int, first: int = 0) -> np.ndarray:
    return (np.arange(first, first + count * 6).reshape(count, 2, 3) % 256).astype(np.uint8)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for suffix, stem, count in (("", "train", 5), (".gz", "t10k", 3)):
        write(tmp_path, f"{stem}-images-idx3-ubyte{suffix}", pictures(count, count))
        write(tmp_path, f"{stem}-labels-idx1-ubyte{suffix}", np.arange(count))
    return tmp_path


def test_a_folder_gives_training_and_test_data_as_bytes(folder: Path):
    source = Idx(folder=str(folder))
    table = source.read(Path())
    assert table.inputs[INPUT].values.dtype == np.uint8
    assert np.array_equal(table.inputs[INPUT].values, pictures(5, 5))
    assert table.targets[TARGET].values.tolist() == [0, 1, 2, 3, 4]
    assert np.array_equal(table.parts["test"].inputs[INPUT].values, pictures(3, 3))
    assert table.parts["test"].targets[TARGET].values.tolist() == [0, 1, 2]
    names = [IMAGES, LABELS, "t10k-images-idx3-ubyte.gz", "t10k-labels-idx1-ubyte.gz"]
    assert table.digest == digest([folder / name for name in names])
    signature = source.signature(Path())
    assert signature.inputs[INPUT].shape == (2, 3)
    assert signature.targets == (TARGET,)


@pytest.mark.parametrize(
    ("scaling", "dtype", "scale"),
    [("none", "uint8", 1.0), ("unit", "uint8", 1 / 255), ("standardize", "float32", 1.0), ("min_max", "float32", 1.0)],
)
def test_the_signature_tells_what_will_be_in_memory(folder: Path, scaling: Any, dtype: str, scale: float):
    signature = Idx(folder=str(folder), scaling=scaling).signature(Path()).inputs[INPUT]
    assert (signature.dtype, signature.scale) == (dtype, scale)


def test_files_named_one_by_one(folder: Path):
    (folder / IMAGES).rename(folder / "pictures")
    table = Idx(images="pictures", test_images="t10k-images-idx3-ubyte.gz").read(folder)
    assert table.rows == 5
    assert table.targets == {}
    assert table.parts["test"].rows == 3


def test_without_test_files_there_is_no_test_part(folder: Path):
    for path in folder.glob("t10k*"):
        path.unlink()
    assert Idx(folder=str(folder)).read(Path()).parts == {}


@pytest.mark.parametrize("with_target", [False, True])
def test_new_images_bring_their_labels_along(folder: Path, with_target: bool):
    new = Idx(folder="old").reading(folder / "t10k-images-idx3-ubyte.gz", {}, with_target)
    table = new.read(Path())
    assert table.rows == 3
    assert (TARGET in table.targets) == with_target


def test_new_images_whose_labels_cannot_be_told(folder: Path):
    with pytest.raises(DataError, match="the file of labels cannot be told from the name of the images"):
        Idx(folder="old").reading(folder / "pictures", {}, with_target=True)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        (IMAGES, b"", "is empty"),
        (IMAGES, b"\0\0", "is no IDX file: it holds 2 bytes"),
        (IMAGES, b"\x89PNG\r\n", "is no IDX file: it begins with 89504e47, not with 0000"),
        (IMAGES, b"\0\0\x0d\x03", "holds elements of IDX type 0x0d, only 0x08 (unsigned bytes) can be read"),
        (IMAGES, b"\0\0\x08\x09", "announces 9 axes, expected 1 (labels) to 4"),
        (IMAGES, b"\0\0\x08\x03\0\0\0\x01", "ends inside its header"),
        (IMAGES, b"\0\0\x08\x03" + struct.pack(">3I", 0, 2, 3), "holds nothing, its header announces 0 × 2 × 3"),
        (IMAGES, idx(pictures(5))[:-1], "its header announces 30 bytes, it holds 29"),
        (IMAGES, idx(pictures(5)) + b"x", "holds more than the 30 bytes that its header announces"),
        (IMAGES, np.arange(5), "holds labels (one axis), expected images"),
        (LABELS, pictures(5), "holds images (3 axes), expected labels"),
        (LABELS, np.arange(4), f"holds 4 labels for the 5 images of {IMAGES}"),
    ],
)
def test_what_cannot_be_read_is_named(folder: Path, name: str, content: bytes | np.ndarray, message: str):
    write(folder, name, content)
    with pytest.raises(DataError) as error:
        Idx(folder=str(folder)).read(Path())
    assert error.value.message == f"{folder / name}: {message}"


def test_a_packed_file_that_holds_less_than_announced(folder: Path):
    path = write(folder, "t10k-images-idx3-ubyte.gz", idx(pictures(3))[:-5])
    with pytest.raises(DataError) as error:
        Idx(folder=str(folder)).read(Path())
    assert error.value.message == f"{path}: its header announces 18 bytes, it holds 13"


@pytest.mark.parametrize("name", ["images", "images.gz"])
def test_a_header_that_claims_terabytes_costs_no_memory(tmp_path: Path, name: str):
    path = write(tmp_path, name, b"\0\0\x08\x03" + struct.pack(">3I", 2**31, 2**10, 2**10) + bytes(100))
    tracemalloc.start()
    with pytest.raises(DataError) as error:
        Idx(images=name).read(tmp_path)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    claim = "2,251,799,813,685,248 bytes (2,147,483,648 × 1,024 × 1,024)"
    assert error.value.message == f"{path}: its header announces {claim}, far more than the file holds"
    assert peak < 20_000_000


@pytest.mark.parametrize(
    ("missing", "message"),
    [
        (IMAGES, f"{IMAGES}: no such file, neither plain nor with .gz"),
        (LABELS, f"{LABELS}: no such file, neither plain nor with .gz"),
        ("t10k-labels-idx1-ubyte.gz", "t10k-labels-idx1-ubyte: no such file, neither plain nor with .gz"),
    ],
)
def test_a_missing_file(folder: Path, missing: str, message: str):
    (folder / missing).unlink()
    with pytest.raises(DataError) as error:
        Idx(folder=str(folder)).read(Path())
    assert error.value.message == f"{folder}/{message}"


def test_a_missing_folder(tmp_path: Path):
    with pytest.raises(DataError) as error:
        Idx(folder="mnist").signature(tmp_path)
    assert error.value.message == f"{tmp_path}/mnist: no such folder"


def test_test_images_of_another_size(folder: Path):
    path = write(folder, "t10k-images-idx3-ubyte.gz", np.zeros((3, 4, 4)))
    with pytest.raises(DataError) as error:
        Idx(folder=str(folder)).read(Path())
    assert error.value.message == f"{path}: its images are 4 × 4, those to train on 2 × 3"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, "give a `folder`, or the files"),
        ({"folder": "a", "labels": "b"}, "give either `folder` or the files, not both"),
        ({"images": "a", "test_labels": "b"}, "`test_labels` needs `test_images`"),
        ({"images": "a", "test_images": "b", "split": {"test": 0.1}}, "a split would hold out a second one"),
    ],
)
def test_refused_configs(arguments: dict[str, Any], message: str):
    with pytest.raises(ValueError, match=message):
        Idx(**arguments)
