"""Files in the IDX format of MNIST and Fashion-MNIST in, a table of byte images and labels out."""

from __future__ import annotations

import math
import struct
from collections.abc import Iterator, Mapping
from itertools import repeat
from pathlib import Path
from typing import Annotated, Any, BinaryIO, ClassVar, NamedTuple, Self

from pydantic import Field, model_validator

from trainer_cli.data.array_files import ArrayFiles
from trainer_cli.data.arrays import array_weights
from trainer_cli.data.files import GREATEST_EXPANSION, digest, open_bytes, read_exactly
from trainer_cli.data.room import check_room
from trainer_cli.data.source import (
    INPUT,
    SAMPLE_WEIGHTS,
    SCALING,
    TARGET,
    InputArray,
    InputSignature,
    Origin,
    ScalingMode,
    Signature,
    Source,
    SplitSpec,
    Table,
    TargetArray,
    input_signature,
)
from trainer_cli.errors import ConfigError, DataError, Problem
from trainer_cli.lazy import np
from trainer_cli.parts.families import Refusal, refusal

ALIASES = ("mnist", "ubyte")

_UNSIGNED_BYTE = 0x08
_FILES = ("images", "labels", "test_images", "test_labels")
_STEMS = {"train": "train", "test": "t10k"}

Name = Annotated[str, Field(min_length=1)]


class Idx(Source):
    """Images as bytes with one label each. A `folder` is searched for the usual names (`train-images-idx3-ubyte`,
    `t10k-labels-idx1-ubyte`, …, each also with `.gz`); or the files are named one by one. `labels` may be missing.

    The pixels stay bytes in memory; `scaling: unit` divides them by 255 as batches are gathered.
    """

    path_fields: ClassVar[tuple[str, ...]] = ("folder", *_FILES, "sample_weight", "test_sample_weight")

    folder: Name | None = Field(default=None, description="the folder that holds the files under their usual names")
    images: Name | None = Field(default=None, description="the file of images, if not given by `folder`")
    labels: Name | None = Field(default=None, description="the file of their labels")
    test_images: Name | None = Field(default=None, description="the file of images to test on")
    test_labels: Name | None = Field(default=None, description="the file of their labels")
    sample_weight: Name | None = Field(
        default=None, description=f"{SAMPLE_WEIGHTS}; an `.npy` file with a number per image"
    )
    test_sample_weight: Name | None = Field(
        default=None, description="the file of the weights of the images to test on"
    )
    scaling: ScalingMode = Field(default="unit", description=SCALING)

    @model_validator(mode="after")
    def _name_the_files_one_way(self) -> Self:
        files = {name: getattr(self, name) for name in _FILES if getattr(self, name) is not None}
        if self.folder is not None and files:
            message = f"give either `folder` or the files, not both (`{next(iter(files))}` is given as well)"
            raise refusal([Refusal("files_given_twice", message, where=("folder",))])
        if self.folder is None and self.images is None:
            raise refusal([Refusal("files_missing", "give a `folder`, or the files: `images` and `labels`")])
        if self.test_labels is not None and self.test_images is None:
            raise refusal([Refusal("files_missing", "`test_labels` needs `test_images`", where=("test_labels",))])
        if self.test_sample_weight is not None and self.sample_weight is None:
            message = "`test_sample_weight` needs `sample_weight`"
            raise refusal([Refusal("files_missing", message, where=("test_sample_weight",))])
        return self

    @property
    def own_parts(self) -> tuple[str, ...]:
        return ("test",) if self.test_images is not None else ()

    def signature(self, folder: Path) -> Signature:
        images, labels, weights = self._files(folder)["train"]
        with open_bytes(images) as file:
            shape = _sound_header(file, images)
        if weights is not None:
            _check_weights(weights, shape[0], images)
        return Signature({INPUT: _image_signature(shape, self.scaling, images)}, () if labels is None else (TARGET,))

    def read(self, folder: Path) -> Table:
        parts = self._files(folder)
        total = digest([path for paths in self.files(folder).values() for path in paths])
        others = {name: _read_part(files, total, {}) for name, files in parts.items() if name != "train"}
        table = _read_part(parts["train"], total, others)
        for other in others.values():
            here, there = table.inputs[INPUT].values.shape[1:], other.inputs[INPUT].values.shape[1:]
            if here != there:
                shapes = f"{_times(there)}, those to train on {_times(here)}"
                raise DataError(f"{other.file}: its images are {shapes}")
        return table

    def files(self, folder: Path) -> dict[str, list[Path]]:
        return {name: [path for path in files if path is not None] for name, files in self._files(folder).items()}

    def part_blocks(self, folder: Path, part: str, most: int) -> Iterator[Table]:
        images, labels, weights = self._files(folder)[part]
        shapes = []
        for path in (images, labels):
            if path is not None:
                with open_bytes(path) as file:
                    shapes.append(_header(file, path))
        _check_pair(images, shapes[0], labels, shapes[1] if labels is not None else None)
        numbers = repeat((0, None)) if labels is None else _blocks(labels, most)
        counts = repeat(None) if weights is None else _weight_blocks(weights, shapes[0][0], images, most)
        for (begin, block), (_, classes), counted in zip(_blocks(images, most), numbers, counts, strict=False):
            yield _pair(images, block, begin, labels, classes)._replace(sample_weights=counted)

    def reading(self, file: Path, learned: Mapping[str, Any], with_target: bool) -> Self:
        labels = file.with_name(file.name.replace("images", "labels").replace("idx3", "idx1"))
        if with_target and labels == file:
            raise DataError(
                f"{file}: the file of labels cannot be told from the name of the images",
                hint="name them `…images-idx3…` and `…labels-idx1…`",
            )
        update = {
            "folder": None,
            "images": str(file),
            "labels": str(labels) if with_target else None,
            "test_images": None,
            "test_labels": None,
            "sample_weight": None,  # which file has those of new images is not known
            "test_sample_weight": None,
            "split": SplitSpec(),
        }
        return self.model_copy(update=update)

    def _files(self, folder: Path) -> dict[str, _Files]:
        """The files of "train" and, where there are some, of "test". Raises ConfigError if only one has weights."""
        if self.folder is not None:
            pairs = _search(folder / self.folder)
        else:
            pairs = {"train": (self.images, self.labels)}
            if self.test_images is not None:
                pairs["test"] = (self.test_images, self.test_labels)
        weights = {"train": self.sample_weight, "test": self.test_sample_weight}
        if self.weighted and len({weights[part] is None for part in pairs}) > 1:
            message, hint = "the images to test on have no weights", "give `test_sample_weight` as well"
            raise ConfigError([Problem(message, ("data", "sample_weight"), hint)])
        found = {}
        for part, given in pairs.items():
            images, labels, counts = (None if name is None else folder / name for name in (*given, weights[part]))
            assert images is not None
            found[part] = _Files(images, labels, counts)
        return found


class _Files(NamedTuple):
    """The files of a part: images, their labels, and how much each counts."""

    images: Path
    labels: Path | None
    weights: Path | None


def _search(folder: Path) -> dict[str, tuple[Name | None, Name | None]]:
    if not folder.is_dir():
        raise DataError(f"{folder}: no such folder", hint="it should hold train-images-idx3-ubyte(.gz) and its like")
    found: dict[str, tuple[Name | None, Name | None]] = {}
    for part, stem in _STEMS.items():
        names = (f"{stem}-images-idx3-ubyte", f"{stem}-labels-idx1-ubyte")
        images, labels = (_existing(folder, name) for name in names)
        if part == "test" and images is None and labels is None:
            continue
        for path, name in ((images, names[0]), (labels, names[1])):
            if path is None:
                raise DataError(f"{folder / name}: no such file, neither plain nor with .gz")
        found[part] = (str(images), str(labels))
    return found


def _existing(folder: Path, name: str) -> Path | None:
    for path in (folder.absolute() / name, folder.absolute() / f"{name}.gz"):
        if path.is_file():
            return path
    return None


def _read_part(files: _Files, total: str, parts: dict[str, Table]) -> Table:
    images, labels, weights = files
    pixels, numbers = _read(images), None if labels is None else _read(labels)
    _check_pair(images, pixels.shape, labels, None if numbers is None else numbers.shape)
    counts = None
    if weights is not None:
        counts = array_weights(_check_weights(weights, len(pixels), images), str(weights), whole=True)
    return _pair(images, pixels, 0, labels, numbers)._replace(digest=total, parts=parts, sample_weights=counts)


def _check_weights(path: Path, rows: int, images: Path) -> ArrayFiles:
    """The file of weights. Raises DataError if it has another number of rows than there are images."""
    found = ArrayFiles(Path())
    count = found.header(str(path)).shape[0]
    if count != rows:
        raise DataError(f"{path}: holds {count:,} weights for the {rows:,} images of {images.name}")
    return found


def _weight_blocks(path: Path, rows: int, images: Path, most: int) -> Iterator[np.ndarray]:
    for block in _check_weights(path, rows, images).blocks([str(path)], most):
        yield array_weights(block, str(path), whole=False)


def _check_pair(images: Path, pixels: tuple[int, ...], labels: Path | None, numbers: tuple[int, ...] | None) -> None:
    """Raise a DataError if the shapes are not those of images and their labels."""
    if len(pixels) < 2:
        raise DataError(f"{images}: holds labels (one axis), expected images")
    if numbers is not None and len(numbers) != 1:
        raise DataError(f"{labels}: holds images ({len(numbers)} axes), expected labels")
    if numbers is not None and numbers[0] != pixels[0]:
        raise DataError(f"{labels}: holds {numbers[0]:,} labels for the {pixels[0]:,} images of {images.name}")


def _pair(images: Path, pixels: np.ndarray, first: int, labels: Path | None, numbers: np.ndarray | None) -> Table:
    """Images and their labels from the row `first` on."""
    targets = {}
    if numbers is not None:
        targets[TARGET] = TargetArray(numbers, Origin(str(labels), "item", first), (TARGET,))
    return Table({INPUT: InputArray(pixels, Origin(str(images), "item", first))}, targets, "")


def _blocks(path: Path, most: int) -> Iterator[tuple[int, np.ndarray]]:
    """The rows of a file, so many at a time, each with the number of its first."""
    with open_bytes(path) as file:
        shape = _sound_header(file, path)
        for begin in range(0, shape[0], most):
            wanted = (min(most, shape[0] - begin), *shape[1:])
            # `read_exactly` would want that nothing is left behind.
            content = file.read(math.prod(wanted))
            if len(content) < math.prod(wanted):
                raise DataError(f"{path}: ends before the {shape[0]:,} rows that its header announces")
            yield begin, np.frombuffer(content, np.uint8).reshape(wanted)
        if file.read(1):
            raise DataError(f"{path}: holds more than the {math.prod(shape):,} bytes that its header announces")


def _read(path: Path) -> np.ndarray:
    with open_bytes(path) as file:
        shape = _sound_header(file, path)
        check_room(math.prod(shape), str(path))
        content = read_exactly(file, path, math.prod(shape))
    return np.frombuffer(content, np.uint8).reshape(shape)


def _sound_header(file: BinaryIO, path: Path) -> tuple[int, ...]:
    """The shape that a file announces, if it can hold so much."""
    shape = _header(file, path)
    # A file cannot hold more than it weighs, packed or not: checked before anything of that size is made.
    held = path.stat().st_size * (GREATEST_EXPANSION if path.suffix == ".gz" else 1)
    size = math.prod(shape)
    if size > held:
        announced = f"{size:,} bytes ({_times(shape)})"
        raise DataError(f"{path}: its header announces {announced}, far more than the file holds")
    return shape


def _header(file: BinaryIO, path: Path) -> tuple[int, ...]:
    """The shape that an IDX file announces: two zero bytes, the element type, the number of axes, their lengths."""
    magic = file.read(4)
    if len(magic) < 4:
        raise DataError(f"{path}: is no IDX file: it holds {len(magic)} bytes" if magic else f"{path}: is empty")
    if magic[:2] != b"\0\0":
        raise DataError(f"{path}: is no IDX file: it begins with {magic.hex()}, not with 0000")
    if magic[2] != _UNSIGNED_BYTE:
        raise DataError(f"{path}: holds elements of IDX type 0x{magic[2]:02x}, only 0x08 (unsigned bytes) can be read")
    axes = magic[3]
    if not 1 <= axes <= 4:
        raise DataError(f"{path}: announces {axes} axes, expected 1 (labels) to 4")
    lengths = file.read(4 * axes)
    if len(lengths) < 4 * axes:
        raise DataError(f"{path}: ends inside its header")
    shape = struct.unpack(f">{axes}I", lengths)
    if 0 in shape:
        raise DataError(f"{path}: holds nothing, its header announces {_times(shape)}")
    return shape


def _image_signature(shape: tuple[int, ...], scaling: ScalingMode, path: Path) -> InputSignature:
    if len(shape) < 2:
        raise DataError(f"{path}: holds labels (one axis), expected images")
    return input_signature(shape[1:], "uint8", scaling)


def _times(shape: tuple[int, ...]) -> str:
    return " × ".join(f"{extent:,}" for extent in shape)
