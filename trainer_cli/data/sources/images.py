"""A folder of PNG and JPEG files in, a table of their pixels as bytes and their classes out."""

from __future__ import annotations

import hashlib
import math
import os
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path, PurePosixPath
from typing import Annotated, Any, ClassVar, NamedTuple, Self

from pydantic import Field, model_validator

from trainer_cli.data.delimited import DelimitedFile, numbers_or_text
from trainer_cli.data.files import Paths, digest, reading, shown
from trainer_cli.data.pictures import (
    SUFFIXES,
    Color,
    Interpolation,
    Resizing,
    Size,
    check_pillow,
    pillow_versions,
    pixels,
    size_of,
)
from trainer_cli.data.room import check_room
from trainer_cli.data.source import (
    INPUT,
    SAMPLE_WEIGHTS,
    SCALING,
    TARGET,
    InputArray,
    Origin,
    ScalingMode,
    Signature,
    Source,
    SplitSpec,
    Table,
    TargetArray,
    input_signature,
)
from trainer_cli.data.stored_array import halved
from trainer_cli.data.weighting import checked_weights
from trainer_cli.errors import DataError
from trainer_cli.lazy import np
from trainer_cli.parts.families import Refusal, refusal

ALIASES = ("image_folder",)

_MOST_FILES = 10_000_000
PARTS = {"train", "training", "validation", "valid", "val", "test"}

Name = Annotated[str, Field(min_length=1)]
Extent = Annotated[int, Field(gt=0, le=1 << 14)]


class Images(Source):
    """Images with a class each, in one of two layouts: a folder whose sub-folders are named after the classes, or a
    folder of images with a table of `labels`, a file with a header and one row per image. Classes are numbered in
    sorted order. Files that are neither `.png` nor `.jpg` are passed over, and so is whatever begins with a dot.

    A row has the shape `(height, width, channels)`, with 3 channels for `rgb` and 1 for `grayscale`. Without `size` all
    images must be of one size; with it, others are resized as `resizing` says: stretched, cut in their middle to the
    right proportions, or framed in black. The pixels stay bytes in memory; `scaling: unit` divides them by 255 as
    batches are gathered.

    Needs Pillow: `pip install 'trainer-cli[images]'`.
    """

    path_fields: ClassVar[tuple[str, ...]] = ("path", "labels", "validation_path", "test_path")

    path: Name = Field(description="the folder of the images")
    labels: Name | None = Field(
        default=None, description="a CSV file with the images' names and labels, instead of a folder per class"
    )
    file_column: Name = Field(default="file", description="the column of `labels` that names the images, below `path`")
    label_column: Name = Field(default="label", description="the column of `labels` to predict: a class or a number")
    sample_weight: Name | None = Field(default=None, description=f"{SAMPLE_WEIGHTS}; a column of `labels`")
    target: bool = Field(default=True, description="whether the images have labels; false: for prediction alone")
    size: Annotated[tuple[Extent, Extent], Field(strict=False)] | None = Field(
        default=None, description="height and width that all images are brought to; default: all must be alike"
    )
    color: Color = Field(default="rgb", description="what the channels are")
    resizing: Resizing = Field(default="stretch", description="how images get the `size`")
    interpolation: Interpolation = Field(default="bilinear", description="how pixels are computed in between")
    scaling: ScalingMode = Field(default="unit", description=SCALING)
    validation_path: Name | None = Field(default=None, description="a folder of its own for the validation data")
    test_path: Name | None = Field(default=None, description="a folder of its own for the test data")

    @model_validator(mode="after")
    def _choose_a_layout(self) -> Self:
        for part in self.own_parts:
            if self.labels is not None:
                message = f"with `labels`, hold out rows by `split`; `{part}_path` needs a folder per class"
                raise refusal([Refusal("parts_by_labels", message, where=(f"{part}_path",))])
        if self.weighted and self.labels is None:
            message = "images by folder have no numbers of their own to be weighted by"
            hint = "give the table of `labels` with a column of weights, or weigh classes by `class_weight`"
            raise refusal([Refusal("weights_without_labels", message, hint, ("sample_weight",))])
        return self

    @property
    def own_parts(self) -> tuple[str, ...]:
        given = (("validation", self.validation_path), ("test", self.test_path))
        return tuple(name for name, path in given if path is not None)

    def signature(self, folder: Path) -> Signature:
        check_pillow()
        if self.size is not None:
            root = folder / self.path
            if not root.is_dir() and not root.is_file():
                raise DataError(f"{root}: no such folder")
            size = self.size
        elif self.labels is not None:
            size = size_of(Path(self._labelled(folder).files[0]))
        else:
            size = size_of(next(self.found(folder / self.path))[0])
        shape = (*size, self._channels)
        return Signature({INPUT: input_signature(shape, "uint8", self.scaling)}, (TARGET,) if self.target else ())

    def read(self, folder: Path) -> Table:
        check_pillow()
        listings = self._listings(folder)
        total = digest(path for paths in self._files(folder, listings).values() for path in paths)
        first = Path(listings["train"].files[0])
        size = self.size or size_of(first)
        tables = {}
        for name, listing in listings.items():
            check_room(len(listing.files) * math.prod(size) * self._channels, listing.root)
            tables[name] = self._table(listing, size, first)._replace(digest=total)
        return tables.pop("train")._replace(parts=tables)

    def files(self, folder: Path) -> dict[str, Sequence[Path]]:
        return self._files(folder, self._listings(folder))

    def shaping(self, folder: Path) -> Any:
        # Folders name the classes, and what reads JPEG files decides their pixels.
        names = hashlib.sha256()
        for name, listing in self._listings(folder).items():
            for file in listing.files:
                names.update(f"{name}\0{file.removeprefix(listing.root)}\0".encode(errors="surrogateescape"))
        return [super().shaping(folder), names.hexdigest(), *pillow_versions()]

    def part_blocks(self, folder: Path, part: str, most: int) -> Iterator[Table]:
        check_pillow()
        listings = self._listings(folder)
        first, listing = Path(listings["train"].files[0]), listings[part]
        size = self.size or size_of(first)
        for begin in range(0, len(listing.files), most):
            yield self._table(listing.some(begin, begin + most), size, first)

    def blocks(self, most: int) -> Iterator[Table]:
        assert self.size is not None, "new images are brought to the size trained on"
        row = math.prod(self.size) * self._channels
        return self.part_blocks(Path(), "train", halved(most, row))

    def reading(self, file: Path, learned: Mapping[str, Any], with_target: bool) -> Self:
        update = {
            "path": str(file),
            "labels": None,
            "target": with_target and self.target,
            "size": tuple(learned["size"]),
            "split": SplitSpec(),
            "validation_path": None,
            "test_path": None,
        }
        weighted = False
        if with_target and self.labels is not None:
            # New images come with a table of their own, under the same name and within their folder.
            table = file / Path(self.labels).name
            update["labels"] = str(table)
            # New data need not say how much its rows count.
            weighted = self.weighted and self.sample_weight in DelimitedFile(table, ",").header().names
        return self.model_copy(update={**update, "sample_weight": self.sample_weight if weighted else None})

    def found(self, root: Path) -> Iterator[tuple[Path, str | None]]:
        """The images below a folder in sorted order, each with its class."""
        if not self.target:
            yield from ((path, None) for path in ([root] if root.is_file() else _images(root)))
            return
        with reading(root):
            entries = sorted(path for path in root.iterdir() if path.is_dir() and not path.name.startswith("."))
        if not entries:
            raise DataError(
                f"{root}: holds no folders, which would be the classes",
                hint="give the table of `labels`, or `target: false` for images without any",
            )
        if {path.name for path in entries} <= PARTS:
            raise DataError(
                f"{root}: its folders {', '.join(f'`{path.name}`' for path in entries)} look like parts, not classes",
                hint="name the parts one by one: `path: …/train`, `validation_path: …`, `test_path: …`",
            )
        for entry in entries:
            yield from ((path, entry.name) for path in _images(entry))

    @property
    def _channels(self) -> int:
        return 3 if self.color == "rgb" else 1

    def _files(self, folder: Path, listings: Mapping[str, _Listing]) -> dict[str, Sequence[Path]]:
        """The images of each part, and before those to train on the table of their labels."""
        found = {name: Paths(listing.files) for name, listing in listings.items()}
        if self.labels is not None:
            found["train"] = Paths([str(folder / self.labels), *listings["train"].files])
        return dict(found)

    def _listings(self, folder: Path) -> dict[str, _Listing]:
        if self.labels is not None:
            return {"train": self._labelled(folder)}
        roots = {"train": self.path, **{part: getattr(self, f"{part}_path") for part in self.own_parts}}
        return {part: self._listed(folder / path) for part, path in roots.items()}

    def _listed(self, root: Path) -> _Listing:
        files, classes = [], []
        for path, name in islice(self.found(root), _MOST_FILES + 1):
            files.append(str(path))
            classes.append(name)
        if len(files) > _MOST_FILES:
            raise DataError(f"{root}: holds more than {_MOST_FILES:,} images")
        return _Listing(str(root), files, np.asarray(classes) if self.target else None)

    def _labelled(self, folder: Path) -> _Listing:
        """The images that the table of labels names."""
        assert self.labels is not None
        root, table = folder / self.path, folder / self.labels
        columns = [self.file_column, self.label_column] if self.target else [self.file_column]
        counted = [] if self.sample_weight is None else [self.sample_weight]
        counts, (names, *labels), origin = DelimitedFile(table, ",").read(counted, columns)
        for row, name in enumerate(names):
            path = PurePosixPath(name)
            if not name.strip() or path.is_absolute() or ".." in path.parts or "\0" in name:
                raise DataError(
                    f"{origin.at(row)}, column `{self.file_column}`: {shown(name)} is no file of the folder"
                )
        return _Listing(
            str(root),
            [str(root / name) for name in names],
            numbers_or_text(labels[0], origin, self.label_column) if labels else None,
            checked_weights(counts[:, 0], origin, counted[0]) if counted else None,
        )

    def _table(self, listing: _Listing, size: Size, first: Path) -> Table:
        """The pixels of all images of a listing; `first` is the image that all of them must be as large as."""
        values = np.empty((len(listing.files), *size, self._channels), np.uint8)
        for row, path in enumerate(Paths(listing.files)):
            found = pixels(path, self.color, self.size, self.resizing, self.interpolation)
            if found.shape[:2] != tuple(size):
                raise DataError(
                    f"{path}: is {found.shape[0]} × {found.shape[1]} pixels large, {first} is {size[0]} × {size[1]}",
                    hint=f"give the data a `size`, such as [{size[0]}, {size[1]}]",
                )
            values[row] = found
        origin = Origin(listing.root, "image", names=listing.files)
        targets = {}
        if listing.labels is not None:
            targets[TARGET] = TargetArray(listing.labels, origin, (TARGET,))
        learned = {"size": list(size)}
        return Table({INPUT: InputArray(values, origin)}, targets, "", {}, learned, sample_weights=listing.weights)


class _Listing(NamedTuple):
    """The images of a part by their names, their labels, and how much each counts."""

    root: str
    files: list[str]
    labels: np.ndarray | None
    weights: np.ndarray | None = None

    def some(self, begin: int, end: int) -> _Listing:
        return _Listing(
            self.root,
            self.files[begin:end],
            None if self.labels is None else self.labels[begin:end],
            None if self.weights is None else self.weights[begin:end],
        )


def _images(root: Path) -> Iterator[Path]:
    """The images below a folder, sorted; links to folders are not followed, which might lead in a circle."""
    none = True
    with reading(root):
        if not root.is_dir():
            raise DataError(f"{root}: {'is no folder' if root.exists() else 'no such folder'}")
        for place, folders, files in os.walk(root):
            folders[:] = sorted(name for name in folders if not name.startswith("."))
            for name in sorted(files):
                if name.lower().endswith(SUFFIXES) and not name.startswith("."):
                    path, none = Path(place, name), False
                    if path.exists() and not path.is_file():  # a pipe, whose reader waits for ever
                        raise DataError(f"{path}: is no regular file")
                    yield path
    if none:
        raise DataError(f"{root}: holds no image ({', '.join(SUFFIXES)})")
