"""A source that reads blocks in, its encoded rows in memory-mapped files out: data larger than memory, converted once.

What a config makes of its files is a folder `<cache>/<key>`, an array per file and `index.json` beside them. The key is
a digest of the files' bytes and of everything else that decides what the arrays hold. A folder appears under its name
when it is complete.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from trainer_cli.data.encoding import Encoding
from trainer_cli.data.eviction import evict, remove_abandoned, use
from trainer_cli.data.files import digest, reading
from trainer_cli.data.source import InputArray, Origin, Source, Split, SplitSpec, Table, TargetArray, joined
from trainer_cli.data.split_column import SplitColumn
from trainer_cli.data.weighting import checked_weights
from trainer_cli.errors import DataError, ResourceError
from trainer_cli.lazy import np

_FORMAT = 1
_INDEX = "index.json"
_ROLES = ("inputs", "targets", "weights")

_BLOCK_ROWS = 1 << 12
_BLOCK_BYTES = 1 << 20
"""A block of rows that are shuffled is at most this large."""
_BYTES_AT_ONCE = 1 << 23
"""What is read or encoded at a time is at most this large, and not more than a block's rows."""

_RAW_BYTES = 8
"""Of a number as it is read."""

Encode = Callable[[str, Encoding, Table, "np.ndarray | None", bool], Split]
"""The part's name, the encoding, a table, which of its rows, and whether with targets: those rows encoded."""


class Found(NamedTuple):
    """Encoded rows by the part's name, and what was to be remembered with them."""

    splits: dict[str, Split]
    facts: Any


def block_rows(row_bytes: int, most_bytes: int = _BLOCK_BYTES) -> int:
    """How many rows of this size are a block."""
    return max(1, min(_BLOCK_ROWS, most_bytes // max(1, row_bytes)))


def shuffled_blocks(split: Split) -> int:
    """The rows of a block when these are shuffled; see `training.epoch.row_order`."""
    return block_rows(sum(array.nbytes for array in split.arrays.values()) // max(1, split.rows))


def mapped(cache: Path, source: Source, folder: Path, facts: Any, make: Callable[[Table, Encode], Any]) -> Found:
    """The source's rows as `make` encodes them: from the cache, or converted now.

    `facts` are plain values for JSON that decide, beside the source and its files, what `make` does. It gets the raw
    table and what encodes and stores a part of it, and returns the names of the parts and what is to be remembered.
    Raises DataError, and ResourceError where the cache cannot be written.
    """
    files = source.files(folder)
    total = digest([path for paths in files.values() for path in paths])
    with reading(folder):
        sizes = {name: [path.stat().st_size for path in paths] for name, paths in files.items()}
    shaping = [_FORMAT, np.__version__, source.model_dump(mode="json"), sizes, total, facts]
    place = cache / hashlib.sha256(json.dumps(shaping, sort_keys=True).encode()).hexdigest()
    found = _opened(place)
    if found is not None:
        return found
    with _made(place) as scratch:
        table = _raw_table(source, folder, scratch, total)
        index: dict[str, Any] = {"splits": {}}

        def encode(
            name: str, encoding: Encoding, table: Table, rows: np.ndarray | None = None, with_target: bool = True
        ) -> Split:
            index["splits"][name], split = _encoded(scratch, name, encoding, table, rows, with_target)
            return split

        index["facts"] = make(table, encode)
        del table
        for path in scratch.glob("raw.*"):
            path.unlink()
        with (scratch / _INDEX).open("w", encoding="utf-8") as file:
            json.dump(index, file)
    found = _opened(place)
    if found is None:
        raise ResourceError(f"cannot read back {place}", hint="choose another folder with TRAINER_CACHE_DIR")
    evict(cache, _INDEX)
    return found


@contextmanager
def _made(place: Path) -> Iterator[Path]:
    """A folder to fill, which gets its name when the block ends, and is gone if the block fails."""
    scratch = place.with_name(f"{place.name}.{os.getpid()}.part")
    try:
        scratch.mkdir(mode=0o700, parents=True, exist_ok=True)
        remove_abandoned(place.parent)
        yield scratch
        for path in scratch.iterdir():
            with path.open("rb") as file:
                os.fsync(file.fileno())
        if _opened(place) is None:  # what is there is damaged
            shutil.rmtree(place, ignore_errors=True)
        try:
            scratch.rename(place)
        except OSError:
            # Another process may have been faster; its folder holds the same.
            if _opened(place) is None:
                raise
    except OSError as error:
        raise ResourceError(
            f"cannot write {place}: {error.strerror or error}",
            hint="free some disk space, or choose another folder with TRAINER_CACHE_DIR",
        ) from error
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _opened(place: Path) -> Found | None:
    """What a folder of the cache holds; None if there is none, or if it is damaged."""
    try:
        use(place / _INDEX)
        index = json.loads((place / _INDEX).read_text(encoding="utf-8"))
        splits = {}
        for name, held in index["splits"].items():
            roles = [
                {key: _array(place / file, dtype, shape) for key, (file, dtype, shape) in held[role].items()}
                for role in _ROLES
            ]
            splits[name] = Split(roles[0], roles[1], held["rows"], roles[2])
        return Found(splits, index["facts"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _array(path: Path, dtype: str, shape: Iterable[int], order: Any = "C") -> np.ndarray:
    """A file's array, whose pages the system reads when they are needed and drops when memory is. Raises ValueError."""
    wanted = tuple(shape)
    if path.stat().st_size != np.dtype(dtype).itemsize * math.prod(wanted):
        raise ValueError(f"{path} is not as long as its array")
    return np.asarray(np.memmap(path, dtype, "r", shape=wanted, order=order))


class _Growing:
    """An array that is written to a file, some rows after the others."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.dtype = ""
        self.row: tuple[int, ...] = ()
        self.rows = 0

    def append(self, values: np.ndarray, where: str) -> None:
        """Add rows. Raises DataError if they are of another kind than those before."""
        if not self.rows:
            self.dtype, self.row = values.dtype.str, values.shape[1:]
        if (values.dtype.str, values.shape[1:]) != (self.dtype, self.row):
            raise DataError(f"{where}: rows have the shape {values.shape[1:]}, those before {self.row}")
        with self.path.open("ab" if self.rows else "wb") as file:
            file.write(np.ascontiguousarray(values).data)
        self.rows += len(values)

    @property
    def shape(self) -> tuple[int, ...]:
        return (self.rows, *self.row)

    def mapped(self) -> np.ndarray:
        """The whole array."""
        return _array(self.path, self.dtype, self.shape)


def _encoded(
    folder: Path, name: str, encoding: Encoding, table: Table, rows: np.ndarray | None, with_target: bool
) -> tuple[dict[str, Any], Split]:
    """Rows of a table, encoded block by block: how the files are found again, and the split that they are."""
    total = table.rows if rows is None else len(rows)
    step = block_rows(sum(given.values[0].nbytes for given in table.inputs.values()), _BYTES_AT_ONCE)
    found: dict[str, dict[str, _Growing]] = {role: {} for role in _ROLES}
    for begin in range(0, total, step):
        chosen = np.arange(begin, min(total, begin + step)) if rows is None else rows[begin : begin + step]
        block = encoding.encode(_chosen(table, chosen), with_target=with_target)
        for role in _ROLES:
            for key, values in getattr(block, role).items():
                path = folder / f"{name}.{role}.{list(getattr(block, role)).index(key)}"
                found[role].setdefault(key, _Growing(path)).append(values, table.file)
    arrays = [{key: growing.mapped() for key, growing in found[role].items()} for role in _ROLES]
    index: dict[str, Any] = {"rows": total}
    for role in _ROLES:
        index[role] = {key: (each.path.name, each.dtype, each.shape) for key, each in found[role].items()}
    return index, Split(arrays[0], arrays[1], total, arrays[2])


class _Places(Sequence[str]):
    """The places of some rows, in words that are made when they are asked for."""

    def __init__(self, origin: Origin, rows: np.ndarray) -> None:
        self._origin = origin
        self._rows = rows

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, place: Any) -> Any:
        return self._origin.at(int(self._rows[place]))


def _chosen(table: Table, rows: np.ndarray) -> Table:
    """Some rows of a table, in memory; messages name their places in the files."""

    def of(origin: Origin) -> Origin:
        return Origin(origin.file, names=_Places(origin, rows))

    return table._replace(
        inputs={
            name: given._replace(values=given.values[rows], origin=of(given.origin))
            for name, given in table.inputs.items()
        },
        targets={
            name: given._replace(values=given.values[rows], origin=of(given.origin))
            for name, given in table.targets.items()
        },
        sample_weights=None if table.sample_weights is None else table.sample_weights[rows],
    )


def _raw_table(source: Source, folder: Path, scratch: Path, total: str) -> Table:
    """Everything that the source's files hold, in files of their arrays."""
    weight = str(getattr(source, "sample_weight", None))
    row = sum(math.prod(given.shape) for given in source.signature(folder).inputs.values())
    step = block_rows(_RAW_BYTES * row, _BYTES_AT_ONCE)
    parts = {
        name: _raw_part(source.part_blocks(folder, name, step), scratch, name, weight, source.split)
        for name in source.files(folder)
    }
    main = parts.pop("train")
    for name, part in parts.items():
        parts[name] = part._replace(digest=total)
        for key, given in part.inputs.items():
            here, there = main.inputs[key].values.shape[1:], given.values.shape[1:]
            if here != there:
                raise DataError(f"{part.file}: rows have the shape {there}, those to train on {here}")
    return main._replace(digest=total, parts=parts)


def _raw_part(blocks: Iterator[Table], scratch: Path, part: str, weight: str, split: SplitSpec) -> Table:
    """The blocks as one table."""
    inputs: dict[str, _RawInput] = {}
    targets: dict[str, _RawTarget] = {}
    weights: list[np.ndarray] = []
    split_by: SplitColumn | None = None
    last: Table | None = None
    for last in blocks:
        for place, (name, given) in enumerate(last.inputs.items()):
            inputs.setdefault(name, _RawInput(scratch / f"raw.{part}.input.{place}")).append(given)
        for place, (name, target) in enumerate(last.targets.items()):
            targets.setdefault(name, _RawTarget(scratch / f"raw.{part}.target.{place}")).append(target)
        if last.sample_weights is not None:
            weights.append(last.sample_weights)
        if last.split_by is not None:
            split_by = split_by or SplitColumn(split)
            split_by.add(last.split_by, next(iter(last.inputs.values())).origin)
    assert last is not None, "a source without rows is an error of its own"
    arrays = {name: each.whole() for name, each in inputs.items()}
    origin = next(iter(arrays.values())).origin
    return Table(
        inputs=arrays,
        targets={name: each.whole() for name, each in targets.items()},
        digest="",
        learned=last.learned,
        split_by=None if split_by is None else split_by.numbers(),
        sample_weights=checked_weights(np.concatenate(weights), origin, weight) if weights else None,
    )


class _RawInput:
    """The rows of an input as they come; codes of words become codes of the words of all blocks."""

    def __init__(self, path: Path) -> None:
        self._values = _Growing(path)
        self._origins: list[tuple[int, Origin]] = []
        self._words: list[dict[str, int]] = []
        self._last: InputArray | None = None

    def append(self, given: InputArray) -> None:
        values, self._last = given.values, given
        self._words = self._words or [{} for _ in given.columns or (given,)]
        if given.words is not None:
            # The code -1 of padding reads the last entry.
            values = np.append(_numbers(self._words[0], given.words.names), -1).astype(values.dtype)[values]
        for place, (column, words) in enumerate(zip(given.columns or (), self._words, strict=False)):
            if column.kind == "categorical":
                there = ~np.isnan(values[:, place])
                values[there, place] = _numbers(words, column.words)[values[there, place].astype(np.int64)]
        self._values.append(values, given.origin.file)
        self._origins.append((len(values), given.origin))

    def whole(self) -> InputArray:
        assert self._last is not None
        values, last = self._values.mapped(), self._last
        if last.columns is not None:
            columns = zip(last.columns, self._words, strict=True)
            last = last._replace(columns=tuple(column._replace(words=tuple(words)) for column, words in columns))
            values = _by_column(values, self._values.path.with_suffix(".columns"))
        if last.words is not None:
            last = last._replace(words=last.words._replace(names=list(self._words[0])))
        return last._replace(values=values, origin=joined(self._origins))


def _numbers(places: dict[str, int], names: Iterable[str]) -> np.ndarray:
    """The number of each name, which it gets when it is first seen."""
    return np.asarray([places.setdefault(name, len(places)) for name in names], np.int64)


def _by_column(values: np.ndarray, path: Path) -> np.ndarray:
    """The same array `(rows, columns)` with its columns one after the other, so that a column is read by itself."""
    rows, columns = values.shape
    with path.open("wb") as file:
        for begin in range(0, rows, _BLOCK_ROWS):
            block = np.ascontiguousarray(values[begin : begin + _BLOCK_ROWS].T)
            for place in range(columns):
                file.seek((place * rows + begin) * values.itemsize)
                file.write(block[place].data)
    return _array(path, values.dtype.str, values.shape, "F")


class _RawTarget:
    """The rows of a target as they come: numbers in a file, texts in memory, each text once."""

    def __init__(self, path: Path) -> None:
        self._values = _Growing(path)
        self._origins: list[tuple[int, Origin]] = []
        self._texts: dict[str, str] = {}
        self._cells: list[np.ndarray] = []
        self._last: TargetArray | None = None

    def append(self, target: TargetArray) -> None:
        values, text = target.values, target.values.dtype.kind in "UO"
        if self._last is not None and text != (self._last.values.dtype.kind in "UO"):
            name = ", ".join(f"`{column}`" for column in target.columns)
            raise DataError(
                f"{target.origin.file}: the target {name} is numbers in some blocks of rows and text in others",
                hint="`memory: loaded` reads all of it as text",
            )
        self._last = target
        self._origins.append((len(values), target.origin))
        if text:
            known = [self._texts.setdefault(each, each) for each in values.ravel().tolist()]
            self._cells.append(np.asarray(known, object).reshape(values.shape))
        else:
            self._values.append(values, target.origin.file)

    def whole(self) -> TargetArray:
        assert self._last is not None
        values = np.concatenate(self._cells) if self._cells else self._values.mapped()
        return self._last._replace(values=values, origin=joined(self._origins))
