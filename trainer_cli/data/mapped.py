"""A source in, its encoded rows in memory-mapped files out: data larger than memory, converted once.

What a config makes of its files is a folder `<cache>/<key>`, an array per file and `index.json` beside them. The key is
a digest of the files' bytes and of everything else that decides what the arrays hold. A folder appears under its name
when it is complete.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from trainer_cli.data.encoding import Encoding
from trainer_cli.data.eviction import evict, remove_abandoned, use
from trainer_cli.data.files import digest, reading
from trainer_cli.data.raw_table import raw_table
from trainer_cli.data.source import Origin, Source, Split, Table
from trainer_cli.data.stored_array import BYTES_AT_ONCE, Growing, block_rows, mapped_array
from trainer_cli.errors import DataError, ResourceError
from trainer_cli.lazy import np

_FORMAT = 2
_INDEX = "index.json"
_ROLES = ("inputs", "targets", "weights")

_MOST_ROWS = (1 << 31) - 1
"""The order of the rows is given by numbers of 32 bits."""

Encode = Callable[[str, Encoding, Table, "np.ndarray | None", bool], Split]
"""The part's name, the encoding, a table, which of its rows, and whether with targets: those rows encoded."""


class Found(NamedTuple):
    """Encoded rows by the part's name, and what was to be remembered with them."""

    splits: dict[str, Split]
    facts: Any


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
    total = digest(path for paths in files.values() for path in paths)
    place = cache / _key(source, folder, files, [total, facts])
    found = _opened(place)
    if found is not None:
        return found
    with _made(place) as scratch:
        table = raw_table(source, folder, scratch, total)
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


def _key(source: Source, folder: Path, files: Mapping[str, Sequence[Path]], others: list[Any]) -> str:
    """The name of the folder for what decides the arrays: where each file ends and the next begins is part of it."""
    shaping = [_FORMAT, np.__version__, source.shaping(folder), *others]
    import hashlib

    key = hashlib.sha256(json.dumps(shaping, sort_keys=True).encode())
    for name, paths in files.items():
        key.update(f"{name} {len(paths)}".encode())
        for path in paths:
            with reading(path):
                key.update(b"/%d/%s" % (path.stat().st_size, os.fsencode(path.name)))
    return key.hexdigest()


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
            import shutil

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
        import shutil

        shutil.rmtree(scratch, ignore_errors=True)


def _opened(place: Path) -> Found | None:
    """What a folder of the cache holds; None if there is none, or if it is damaged."""
    try:
        use(place / _INDEX)
        index = json.loads((place / _INDEX).read_text(encoding="utf-8"))
        splits = {}
        for name, held in index["splits"].items():
            roles = [
                {key: mapped_array(place / file, dtype, shape) for key, (file, dtype, shape) in held[role].items()}
                for role in _ROLES
            ]
            splits[name] = Split(roles[0], roles[1], held["rows"], roles[2])
        return Found(splits, index["facts"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _encoded(
    folder: Path, name: str, encoding: Encoding, table: Table, rows: np.ndarray | None, with_target: bool
) -> tuple[dict[str, Any], Split]:
    """Rows of a table, encoded block by block: how the files are found again, and the split that they are."""
    total = table.rows if rows is None else len(rows)
    if total > _MOST_ROWS:
        raise DataError(
            f"{table.file}: has {total:,} rows, at most {_MOST_ROWS:,} are trained on",
            hint="leave rows out; of a running text a larger `stride` makes fewer",
        )
    found: dict[str, dict[str, Growing]] = {role: {} for role in _ROLES}
    begin, step = 0, 1
    while begin < total:
        end = min(total, begin + step)
        raw = _chosen(table, np.arange(begin, end) if rows is None else rows[begin:end])
        block = encoding.encode(raw, with_target=with_target)
        for role in _ROLES:
            for key, values in getattr(block, role).items():
                path = folder / f"{name}.{role}.{list(getattr(block, role)).index(key)}"
                found[role].setdefault(key, Growing(path)).append(values, table.file)
        # What a row takes, as it is read and as it is encoded, is known when there is one.
        arrays = [*block.arrays.values(), *(given.values for given in raw.inputs.values())]
        arrays += [target.values for target in raw.targets.values()]
        step = block_rows(sum(array.nbytes for array in arrays) // (end - begin), BYTES_AT_ONCE)
        begin = end
    roles = [{key: growing.mapped() for key, growing in found[role].items()} for role in _ROLES]
    index: dict[str, Any] = {"rows": total}
    for role in _ROLES:
        index[role] = {key: (each.path.name, each.dtype, each.shape) for key, each in found[role].items()}
    return index, Split(roles[0], roles[1], total, roles[2])


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
