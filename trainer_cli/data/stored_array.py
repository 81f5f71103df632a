"""Rows of an array in, some after the others; a file that holds all of them, which is mapped, out."""

from __future__ import annotations

import math
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from trainer_cli.errors import DataError
from trainer_cli.lazy import np

_BLOCK_ROWS = 1 << 12
BLOCK_BYTES = 1 << 20
"""A block of rows that are shuffled is at most this large."""
BYTES_AT_ONCE = 1 << 23
"""What is read or encoded at a time is at most this large, and not more than a block's rows."""
_MOST_BYTES = 1 << 28
"""What is predicted from at a time is at most this large, however many rows are asked for."""


def block_rows(row_bytes: int, most_bytes: int = BLOCK_BYTES) -> int:
    """How many rows of this size are a block."""
    return max(1, min(_BLOCK_ROWS, most_bytes // max(1, row_bytes)))


def halved(most: int, row_bytes: int) -> int:
    """So many rows, or half of them, or a quarter, …, until they are small enough to be in memory together.

    Of whole batches, as many as are asked for, there are whole ones then where a batch is a power of 2.
    """
    while most > 1 and most * row_bytes > _MOST_BYTES:
        most //= 2
    return most


def mapped_array(path: Path, dtype: str, shape: Iterable[int], order: Any = "C") -> np.ndarray:
    """A file's array, whose pages the system reads when they are needed and drops when memory is. Raises ValueError."""
    wanted = tuple(shape)
    if path.stat().st_size != np.dtype(dtype).itemsize * math.prod(wanted):
        raise ValueError(f"{path} is not as long as its array")
    return np.asarray(np.memmap(path, dtype, "r", shape=wanted, order=order))


class Growing:
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
        return mapped_array(self.path, self.dtype, self.shape)


def by_column(values: np.ndarray, path: Path) -> np.ndarray:
    """The same array `(rows, columns)` with its columns one after the other, so that a column is read by itself."""
    rows, columns = values.shape
    with path.open("wb") as file:
        for begin in range(0, rows, _BLOCK_ROWS):
            block = np.ascontiguousarray(values[begin : begin + _BLOCK_ROWS].T)
            for place in range(columns):
                file.seek((place * rows + begin) * values.itemsize)
                file.write(block[place].data)
    return mapped_array(path, values.dtype.str, values.shape, "F")
