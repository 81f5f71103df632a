"""Files of NumPy's `.npy` in, their rows out, one file's after the other's; mapped while they are read."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from trainer_cli.data.arrays import ArrayFile, ArrayHeader, ArrayKey, NextRows, read_header
from trainer_cli.data.files import expand, reading
from trainer_cli.data.room import check_room
from trainer_cli.data.source import Origin, joined
from trainer_cli.errors import DataError
from trainer_cli.lazy import np

_NUMBERS = "biuf"


def header_of(path: Path) -> ArrayHeader:
    """A file's header, checked against what the file holds. Raises DataError."""
    return _header(path)[0]


class ArrayFiles(ArrayFile):
    """Files of a folder, each with an array, or the next rows of one."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self._folder = folder
        self._headers: dict[ArrayKey, list[tuple[Path, ArrayHeader, int]]] = {}

    def place(self, key: ArrayKey) -> str:
        (path, *others) = expand(self._folder, key)
        return f"{path} and {len(others)} more" if others else str(path)

    def name(self, key: ArrayKey) -> str:
        return expand(self._folder, key)[0].name

    def origin(self, key: ArrayKey, first: int = 0) -> Origin:
        found = joined([(header.shape[0], Origin(str(path))) for path, header, _ in self._each(key)])
        if not found.pieces:
            return found._replace(first=first)
        return found._replace(pieces=tuple((begin - first, origin) for begin, origin in found.pieces))

    def header(self, key: ArrayKey) -> ArrayHeader:
        (first, header, _), *others = self._each(key)
        for path, other, _ in others:
            if other.shape[1:] != header.shape[1:]:
                raise DataError(f"{path}: its rows have shape {other.shape[1:]}, those of {first} {header.shape[1:]}")
            if other.dtype != header.dtype and (other.dtype.kind in _NUMBERS) != (header.dtype.kind in _NUMBERS):
                raise DataError(f"{path}: holds elements of type {other.dtype}, {first} {header.dtype}")
        return ArrayHeader(
            (sum(each.shape[0] for _, each, _ in self._each(key)), *header.shape[1:]),
            np.result_type(*dict.fromkeys(each.dtype for _, each, _ in self._each(key))) if others else header.dtype,
            header.by_column,
        )

    @contextmanager
    def rows(self, key: ArrayKey) -> Iterator[NextRows]:
        dtype, remaining = self.header(key).dtype, self._each(key)[::-1]
        array, taken = _mapped(*remaining.pop()), 0

        def following(count: int) -> np.ndarray:
            nonlocal array, taken
            found = [array[taken : taken + count]]
            taken += count
            while taken >= len(array) and remaining:
                taken -= len(array)
                array = _mapped(*remaining.pop())
                found.append(array[:taken])
            return np.concatenate(found).astype(dtype, copy=False)

        yield following

    def read(self, key: ArrayKey) -> np.ndarray:
        header = self.header(key)
        check_room(header.size, self.place(key))
        with self.rows(key) as following:
            return following(header.shape[0])

    def _each(self, key: ArrayKey) -> list[tuple[Path, ArrayHeader, int]]:
        """The files of an array, each with its header and the place of its first element. Raises DataError."""
        if key not in self._headers:
            self._headers[key] = [(path, *_header(path)) for path in expand(self._folder, key)]
        return self._headers[key]


def _header(path: Path) -> tuple[ArrayHeader, int]:
    """A file's header, checked against what the file holds, and its length."""
    with reading(path), path.open("rb") as file:
        header = read_header(file, str(path))
        begin = file.tell()
        held = path.stat().st_size - begin
    if held != header.size:
        raise DataError(f"{path}: its header announces {header.size:,} bytes (shape {header.shape}), it holds {held:,}")
    return header, begin


def _mapped(path: Path, header: ArrayHeader, begin: int) -> np.ndarray:
    with reading(path):
        order: Any = "F" if header.by_column else "C"
        return np.asarray(np.memmap(path, header.dtype, "r", begin, header.shape, order))
