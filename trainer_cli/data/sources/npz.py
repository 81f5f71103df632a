"""NumPy's `.npz` archives in, a table of the named arrays out; pickled objects are refused."""

from __future__ import annotations

import math
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Annotated, Any, ClassVar, Self

from pydantic import Field

from trainer_cli.data.array_source import ROLES, ArraySource
from trainer_cli.data.arrays import ArrayFile, ArrayHeader, ArrayKey, NextRows, read_header
from trainer_cli.data.files import GREATEST_EXPANSION, nearest, reading
from trainer_cli.data.room import check_room
from trainer_cli.data.source import SAMPLE_WEIGHTS, Origin, SplitSpec, Table
from trainer_cli.errors import DataError
from trainer_cli.lazy import np

ALIASES = ("numpy",)

Key = Annotated[str, Field(min_length=1)]
Keys = Key | Annotated[dict[Key, Key], Field(min_length=1)]


class Npz(ArraySource):
    """Arrays with rows along the first axis, by their keys in the archive. Bytes stay bytes in memory.

    `target` may be null. `validation_*` and `test_*` name arrays of their own for these parts, as in Keras's
    `mnist.npz` (`x_train`, `y_train`, `x_test`, `y_test`). For a model with several inputs or outputs each of these is
    a mapping of their names to keys.
    """

    path_fields: ClassVar[tuple[str, ...]] = ("path",)

    path: Key = Field(description="the archive, relative to the config's folder")
    input: Keys = Field(default="x", description="key of the array of inputs")
    target: Keys | None = Field(default="y", description="key of the array of targets, or null")
    sample_weight: Key | None = Field(default=None, description=f"{SAMPLE_WEIGHTS}; key of an array")
    validation_input: Keys | None = Field(default=None, description="key of inputs for validation alone")
    validation_target: Keys | None = Field(default=None, description="key of their targets")
    validation_sample_weight: Key | None = Field(default=None, description="key of the weights of these rows")
    test_input: Keys | None = Field(default=None, description="key of inputs to test on")
    test_target: Keys | None = Field(default=None, description="key of their targets")
    test_sample_weight: Key | None = Field(default=None, description="key of the weights of these rows")

    def files(self, folder: Path) -> dict[str, list[Path]]:
        # One archive holds all parts.
        return {"train": [folder / self.path], **{part: [] for part in self.own_parts}}

    def blocks(self, most: int) -> Iterator[Table]:
        with self._open(Path()) as archive:
            by_column = any(archive.header(key).is_by_column for key in self._keys("train").each)
        # Compressed columns can only be read whole.
        return iter([self.read(Path())]) if by_column else super().blocks(most)

    @contextmanager
    def _open(self, folder: Path) -> Iterator[_Archive]:
        with _opened(folder / self.path) as archive:
            yield archive

    def reading(self, file: Path, learned: Mapping[str, Any], with_target: bool) -> Self:
        weighted = self.weighted and with_target
        if weighted:
            with _opened(file) as archive:  # new data need not say how much its rows count
                weighted = self.sample_weight in archive.keys
        update = {
            "path": str(file),
            "target": self.target if with_target else None,
            "sample_weight": self.sample_weight if weighted else None,
            "split": SplitSpec(),
            **{f"{part}_{role}": None for part in ("validation", "test") for role in ROLES},
        }
        return self.model_copy(update=update)


def arrays(path: Path) -> dict[str, ArrayHeader]:
    """The headers of an archive's arrays, but for those that are no rows. Raises DataError."""
    found = {}
    with _opened(path) as archive:
        for key in archive.keys:
            with suppress(DataError):
                found[key] = archive.header(key)
    return found


class _Archive(ArrayFile):
    """An open `.npz` file: a zip file whose members are `.npy` files. `keys` are the names of the arrays."""

    def __init__(self, path: Path, members: zipfile.ZipFile) -> None:
        super().__init__()
        self._path = path
        self._members = members
        self.keys = [name.removesuffix(".npy") for name in members.namelist() if name.endswith(".npy")]
        self._weight = path.stat().st_size

    def place(self, key: ArrayKey) -> str:
        return f"{self._path}, array `{key}`"

    def name(self, key: ArrayKey) -> str:
        return str(key)

    def origin(self, key: ArrayKey, first: int = 0) -> Origin:
        return Origin(self.place(key), first=first)

    def header(self, key: ArrayKey) -> ArrayHeader:
        member = self._member(key)
        with self._members.open(member) as file:
            header = read_header(file, self.place(key))
        packed = min(member.compress_size, self._weight)
        if header.size > member.file_size or member.file_size > GREATEST_EXPANSION * packed + 64:
            raise DataError(f"{self.place(key)}: its header announces more bytes than the file holds")
        return header

    @contextmanager
    def rows(self, key: ArrayKey) -> Iterator[NextRows]:
        header = self.header(key)
        if header.is_by_column:
            raise DataError(
                f"{self.place(key)}: is stored column by column, and cannot be read in blocks of rows",
                hint="store `numpy.ascontiguousarray` of it, or leave `memory` out",
            )
        with self._members.open(self._member(key)) as file:
            read_header(file, self.place(key))

            def following(count: int) -> np.ndarray:
                wanted = (count, *header.shape[1:])
                return np.frombuffer(file.read(math.prod(wanted) * header.dtype.itemsize), header.dtype).reshape(wanted)

            yield following

    def read(self, key: ArrayKey) -> np.ndarray:
        check_room(self.header(key).size, self.place(key))
        with self._members.open(self._member(key)) as file:
            return np.ascontiguousarray(np.lib.format.read_array(file, allow_pickle=False))

    def _member(self, key: ArrayKey) -> zipfile.ZipInfo:
        if key not in self.keys:
            raise DataError(f"{self._path}: no array `{key}`", hint=nearest(str(key), self.keys, "arrays"))
        return self._members.getinfo(f"{key}.npy")


@contextmanager
def _opened(path: Path) -> Iterator[_Archive]:
    with reading(path):
        try:
            with zipfile.ZipFile(path) as members:
                archive = _Archive(path, members)
                if len(set(archive.keys)) < len(archive.keys):
                    raise DataError(f"{path}: several arrays have the same name")
                yield archive
        except (zipfile.BadZipFile, NotImplementedError, RuntimeError, ValueError) as error:
            raise DataError(f"{path}: is no readable .npz file: {error}") from None
