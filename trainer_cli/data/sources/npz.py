"""NumPy's `.npz` archives in, a table of the named arrays out; pickled objects are refused."""

from __future__ import annotations

import math
import zipfile
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import IO, Annotated, Any, ClassVar, Self

from pydantic import Field, model_validator

from trainer_cli.data.files import GREATEST_EXPANSION, digest, nearest, reading
from trainer_cli.data.source import (
    INPUT,
    SAMPLE_WEIGHTS,
    TARGET,
    InputArray,
    Origin,
    Signature,
    Source,
    SplitSpec,
    Table,
    TargetArray,
    input_signature,
)
from trainer_cli.data.times import split_numbers
from trainer_cli.data.weighting import checked_weights
from trainer_cli.errors import DataError
from trainer_cli.lazy import np
from trainer_cli.parts.families import Refusal, refusal

ALIASES = ("numpy",)

_ROLES = ("input", "target", "sample_weight")

Key = Annotated[str, Field(min_length=1)]
Keys = Key | Annotated[dict[Key, Key], Field(min_length=1)]


class Npz(Source):
    """Arrays with rows along the first axis, by their keys in the archive. Bytes stay bytes in memory.

    `target` may be null. `validation_*` and `test_*` name arrays of their own for these parts, as in Keras's
    `mnist.npz` (`x_train`, `y_train`, `x_test`, `y_test`). For a model with several inputs or outputs each of these is
    a mapping of their names to keys.
    """

    path_fields: ClassVar[tuple[str, ...]] = ("path",)
    has_columns: ClassVar[bool] = True
    reads_blocks: ClassVar[bool] = True

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

    @model_validator(mode="after")
    def _name_arrays_in_pairs(self) -> Self:
        for part in ("validation", "test"):
            inputs, target = getattr(self, f"{part}_input"), getattr(self, f"{part}_target")
            if target is not None and inputs is None:
                message, where = f"`{part}_target` needs `{part}_input`", f"{part}_target"
                raise refusal([Refusal("array_missing", message, where=(where,))])
            if inputs is not None and (target is None) != (self.target is None):
                message, where = f"give either both `target` and `{part}_target`, or neither", f"{part}_input"
                raise refusal([Refusal("array_missing", message, where=(where,))])
            weights = getattr(self, f"{part}_sample_weight")
            if (weights is not None) != (inputs is not None and self.sample_weight is not None):
                where = f"{part}_sample_weight"
                message = f"`{where}` goes with `sample_weight` and `{part}_input`: give all of them, or leave it out"
                raise refusal([Refusal("array_missing", message, where=(where,))])
        return self

    @property
    def own_parts(self) -> tuple[str, ...]:
        return tuple(part for part in ("validation", "test") if getattr(self, f"{part}_input") is not None)

    @model_validator(mode="after")
    def _name_the_same_in_all_parts(self) -> Self:
        for role in ("input", "target"):
            names = _by_name(getattr(self, role), role)
            for part in self.own_parts:
                other = _by_name(getattr(self, f"{part}_{role}"), role)
                if other and set(other) != set(names):
                    message = f"`{part}_{role}` must name an array for each of {', '.join(names)}"
                    raise refusal([Refusal("array_missing", message, where=(f"{part}_{role}",))])
        return self

    def signature(self, folder: Path) -> Signature:
        inputs = {}
        with _open(folder / self.path) as archive:
            for name, key in _by_name(self.input, INPUT).items():
                shape, dtype = archive.header(key)
                kept = "uint8" if dtype == np.uint8 else "float32"
                inputs[name] = input_signature(shape[1:] or (1,), kept, self.scaling)
            for key in [*_by_name(self.target, TARGET).values(), *_by_name(self.sample_weight, "").values()]:
                archive.header(key)
        return Signature(inputs, tuple(_by_name(self.target, TARGET)))

    def read(self, folder: Path) -> Table:
        path = folder / self.path
        total = digest([path])
        with _open(path) as archive:
            parts = {
                part: _table(archive, [getattr(self, f"{part}_{role}") for role in _ROLES], total, {})
                for part in self.own_parts
            }
            table = _table(archive, [self.input, self.target, self.sample_weight], total, parts)
            if self.split.column is not None:
                table = table._replace(split_by=self._split_numbers(archive, self.split.column, table.rows))
        for part, other in parts.items():
            for role, here, there in (("input", table.inputs, other.inputs), ("target", table.targets, other.targets)):
                keys = _by_name(getattr(self, f"{part}_{role}"), role)
                for name in keys:
                    shape, own = here[name].values.shape[1:], there[name].values.shape[1:]
                    if shape != own:
                        shapes = f"{own}, those to train on {shape}"
                        raise DataError(f"{path}, array `{keys[name]}`: its rows have shape {shapes}")
        return table

    def files(self, folder: Path) -> dict[str, list[Path]]:
        # One archive holds all parts.
        return {"train": [folder / self.path], **{part: [] for part in self.own_parts}}

    def part_blocks(self, folder: Path, part: str, most: int) -> Iterator[Table]:
        prefix = "" if part == "train" else f"{part}_"
        keys = [getattr(self, f"{prefix}{role}") for role in _ROLES]
        each = [key for given in keys for key in _by_name(given, "").values()]
        with _open(folder / self.path) as archive:
            for block in archive.blocks(each, most):
                yield _table(block, keys, "", {})

    def _split_numbers(self, archive: _Archive, key: str, rows: int) -> np.ndarray:
        """The array that the split goes by: numbers, or texts."""
        values = archive.target(key)
        if values.shape != (rows,):
            raise DataError(f"{archive.path}, array `{key}`: has the shape {values.shape}, and there are {rows:,} rows")
        if values.dtype.kind != "U":
            return values
        return split_numbers(self.split, values.tolist(), archive.origin(key))

    def reading(self, file: Path, learned: Mapping[str, Any], with_target: bool) -> Self:
        weighted = self.weighted and with_target
        if weighted:
            with _open(file) as archive:  # new data need not say how much its rows count
                weighted = self.sample_weight in archive.keys
        update = {
            "path": str(file),
            "target": self.target if with_target else None,
            "sample_weight": self.sample_weight if weighted else None,
            "split": SplitSpec(),
            **{f"{part}_{role}": None for part in ("validation", "test") for role in _ROLES},
        }
        return self.model_copy(update=update)


def arrays(path: Path) -> dict[str, tuple[tuple[int, ...], np.dtype]]:
    """Shape and type of an archive's arrays, from their headers, but for those that are no rows. Raises DataError."""
    found = {}
    with _open(path) as archive:
        for key in archive.keys:
            with suppress(DataError):
                found[key] = archive.header(key)
    return found


class _Arrays(ABC):
    """Arrays by their keys, rows first; `first` is the number of their first row."""

    def __init__(self, path: Path, first: int = 0) -> None:
        self.path = path
        self.first = first

    @abstractmethod
    def read(self, key: str) -> np.ndarray:
        """An array as it is."""

    def origin(self, key: str) -> Origin:
        return Origin(f"{self.path}, array `{key}`", first=self.first)

    def numbers(self, key: str) -> np.ndarray:
        """A numeric array: uint8 and floats as they are, other numbers as float64. All values are finite."""
        array = self.read(key)
        if array.dtype.kind not in "biuf":
            raise DataError(f"{self.path}, array `{key}`: expected numbers, found elements of type {array.dtype}")
        if array.dtype.kind == "f":
            if array.dtype not in (np.float32, np.float64):
                array = array.astype(np.float64)
            finite = np.isfinite(array)
            if not finite.all():
                place = np.unravel_index(int(np.argmin(finite)), array.shape)
                where = ", ".join(str(int(index)) for index in place[1:])
                raise DataError(
                    f"{self.origin(key).at(int(place[0]))}{f', element [{where}]' if where else ''}: "
                    f"expected a finite number, found `{array[place]}`"
                )
        elif array.dtype != np.uint8:
            array = array.astype(np.float64)
        return array

    def target(self, key: str) -> np.ndarray:
        """Numbers, or text for class names."""
        array = self.read(key)
        return array if array.dtype.kind == "U" else self.numbers(key)


class _Block(_Arrays):
    """Some rows of arrays."""

    def __init__(self, path: Path, first: int, arrays: Mapping[str, np.ndarray]) -> None:
        super().__init__(path, first)
        self._arrays = arrays

    def read(self, key: str) -> np.ndarray:
        return self._arrays[key]


class _Archive(_Arrays):
    """An open `.npz` file: a zip file whose members are `.npy` files."""

    def __init__(self, path: Path, members: zipfile.ZipFile) -> None:
        super().__init__(path)
        self._members = members
        self._weight = path.stat().st_size

    @property
    def keys(self) -> list[str]:
        """The names of the arrays."""
        return [name.removesuffix(".npy") for name in self._members.namelist() if name.endswith(".npy")]

    def header(self, key: str) -> tuple[tuple[int, ...], np.dtype]:
        """Shape and type of an array, checked against what the file can hold."""
        member = self._member(key)
        with self._members.open(member) as file:
            shape, _, dtype = _read_header(file, f"{self.path}, array `{key}`")
            claimed = math.prod(shape) * dtype.itemsize
            packed = min(member.compress_size, self._weight)
            if claimed > member.file_size or member.file_size > GREATEST_EXPANSION * packed + 64:
                raise DataError(f"{self.path}, array `{key}`: its header announces more bytes than the file holds")
        if dtype.hasobject:
            raise DataError(f"{self.path}, array `{key}`: holds pickled Python objects, which are never loaded")
        if not shape or shape[0] == 0:
            raise DataError(f"{self.path}, array `{key}`: holds no rows (shape {shape})")
        return shape, dtype

    def blocks(self, keys: list[str], most: int) -> Iterator[_Block]:
        """The rows of these arrays, so many at a time. Raises DataError where their numbers of rows differ."""
        headers = {key: self.header(key) for key in keys}
        rows = {key: shape[0] for key, (shape, _) in headers.items()}
        for key, count in rows.items():
            if count != rows[keys[0]]:
                message = f"`{key}` has {count:,} rows, `{keys[0]}` has {rows[keys[0]]:,}"
                raise DataError(f"{self.path}: {message}")
        with ExitStack() as stack:
            files = {}
            for key in headers:
                files[key] = stack.enter_context(self._members.open(self._member(key)))
                if _read_header(files[key], "")[1] and len(headers[key][0]) > 1:
                    raise DataError(
                        f"{self.path}, array `{key}`: is stored column by column, and cannot be read in blocks of rows",
                        hint="store `numpy.ascontiguousarray` of it, or leave `memory` out",
                    )
            for begin in range(0, rows[keys[0]], most):
                block = {}
                for key, (shape, dtype) in headers.items():
                    wanted = (min(most, shape[0] - begin), *shape[1:])
                    content = files[key].read(math.prod(wanted) * dtype.itemsize)
                    block[key] = np.frombuffer(content, dtype).reshape(wanted)
                yield _Block(self.path, begin, block)

    def read(self, key: str) -> np.ndarray:
        self.header(key)
        with self._members.open(self._member(key)) as file:
            return np.ascontiguousarray(np.lib.format.read_array(file, allow_pickle=False))

    def _member(self, key: str) -> zipfile.ZipInfo:
        if key not in self.keys:
            raise DataError(f"{self.path}: no array `{key}`", hint=nearest(key, self.keys, "arrays"))
        return self._members.getinfo(f"{key}.npy")


@contextmanager
def _open(path: Path) -> Iterator[_Archive]:
    with reading(path):
        try:
            with zipfile.ZipFile(path) as members:
                yield _Archive(path, members)
        except (zipfile.BadZipFile, NotImplementedError, RuntimeError, ValueError) as error:
            raise DataError(f"{path}: is no readable .npz file: {error}") from None


def _read_header(file: IO[bytes], place: str) -> tuple[tuple[int, ...], bool, np.dtype]:
    version = np.lib.format.read_magic(file)
    if version == (1, 0):
        return np.lib.format.read_array_header_1_0(file)
    if version == (2, 0):
        return np.lib.format.read_array_header_2_0(file)
    raise DataError(f"{place}: NPY format {version[0]}.{version[1]} is not supported")


def _by_name(keys: str | dict[str, str] | None, single: str) -> dict[str, str]:
    """The keys of arrays by the names of inputs or targets."""
    if keys is None:
        return {}
    return {single: keys} if isinstance(keys, str) else keys


def _table(archive: _Arrays, keys: list[Any], total: str, parts: dict[str, Table]) -> Table:
    """The arrays of a part; `keys` are those of its inputs, of its targets and of its weights."""
    inputs, targets, weights = keys
    given = {}
    for name, key in _by_name(inputs, INPUT).items():
        values = archive.numbers(key)
        if values.ndim == 1:
            values = values[:, np.newaxis]
        given[name] = InputArray(values, archive.origin(key))
    wanted = {
        name: TargetArray(archive.target(key), archive.origin(key), (key,))
        for name, key in _by_name(targets, TARGET).items()
    }
    counts = {} if weights is None else {weights: _weights(archive, weights, bool(total))}
    arrays: list[InputArray | TargetArray] = [*given.values(), *wanted.values(), *counts.values()]
    for array in arrays[1:]:
        if len(array.values) != len(arrays[0].values):
            first, key = (each.origin.file.rpartition("array ")[2] for each in (arrays[0], array))
            raise DataError(
                f"{archive.path}: {key} has {len(array.values):,} rows, {first} has {len(arrays[0].values):,}"
            )
    return Table(given, wanted, total, parts, sample_weights=counts[weights].values if weights is not None else None)


def _weights(archive: _Arrays, key: str, whole: bool) -> TargetArray:
    """How much each row counts, `(rows,)`."""
    values, origin = archive.numbers(key).astype(np.float64), archive.origin(key)
    if values.size != len(values):
        raise DataError(f"{origin.file}: sample weights are one number per row, not rows of shape {values.shape[1:]}")
    return TargetArray(checked_weights(values.reshape(-1), origin, key, whole=whole), origin, (key,))
