"""Arrays in NumPy's format in, their rows out, at once or in blocks; no header is believed, nothing unpickled."""

from __future__ import annotations

import tokenize
import warnings
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack
from typing import IO, NamedTuple, TypeAlias

from trainer_cli.data.source import Origin
from trainer_cli.data.weighting import checked_weights
from trainer_cli.errors import DataError
from trainer_cli.lazy import np

ArrayKey: TypeAlias = str | tuple[str, ...]
"""What names an array: its key in an archive; or the file that it stands in, or several with its rows."""

NextRows: TypeAlias = "Callable[[int], np.ndarray]"
"""Reads so many rows more of an array."""


_MOST_AXES = 32


class ArrayHeader(NamedTuple):
    """What an array says of itself. `by_column`: its elements are stored column by column."""

    shape: tuple[int, ...]
    dtype: np.dtype
    by_column: bool

    @property
    def is_by_column(self) -> bool:
        """Whether a row is not in one piece."""
        return self.by_column and len(self.shape) > 1

    @property
    def size(self) -> int:
        """The bytes of its elements."""
        found = self.dtype.itemsize
        for extent in self.shape:
            found *= extent
        return found


def read_header(file: IO[bytes], place: str) -> ArrayHeader:
    """The header of an open `.npy` file, checked as far as it can be by itself. Raises DataError."""
    try:
        version = np.lib.format.read_magic(file)
        if version not in ((1, 0), (2, 0)):
            raise DataError(f"{place}: NPY format {version[0]}.{version[1]} is not supported")
        reads = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of arrays that Python 2 wrote
            shape, by_column, dtype = reads(file)
    # What NumPy raises for a damaged header depends on the place of the damage.
    except (ValueError, TypeError, LookupError, ArithmeticError, SyntaxError, tokenize.TokenError) as error:
        reason = (str(error).strip() or "it cannot be read").splitlines()[0][:200]
        raise DataError(f"{place}: the header of the array is damaged: {reason}") from None
    except (MemoryError, RecursionError):
        raise DataError(f"{place}: the header of the array is damaged: it is nested too deeply") from None
    if dtype.hasobject:
        raise DataError(f"{place}: holds pickled Python objects, which are never loaded")
    if len(shape) > _MOST_AXES:
        raise DataError(f"{place}: has {len(shape)} axes, more than is read")
    if not shape or min(shape) < 1 or dtype.itemsize == 0:
        raise DataError(f"{place}: holds no rows (shape {shape}{'' if dtype.itemsize else f' of type {dtype}'})")
    return ArrayHeader(tuple(int(extent) for extent in shape), dtype, by_column)


class Arrays(ABC):
    """Arrays by their keys, rows first; `first` is the number of their first row."""

    def __init__(self, first: int = 0) -> None:
        self.first = first

    @abstractmethod
    def place(self, key: ArrayKey) -> str:
        """Where an array stands, for messages: `t.npz, array `x``."""

    @abstractmethod
    def name(self, key: ArrayKey) -> str:
        """What an array is called beside others."""

    @abstractmethod
    def origin(self, key: ArrayKey) -> Origin:
        """Where its rows come from."""

    @abstractmethod
    def read(self, key: ArrayKey) -> np.ndarray:
        """An array as it is."""

    def numbers(self, key: ArrayKey) -> np.ndarray:
        """A numeric array: uint8 and floats as they are, other numbers as float64. All values are finite."""
        array = self.read(key)
        if array.dtype.kind not in "biuf":
            raise DataError(f"{self.place(key)}: expected numbers, found elements of type {array.dtype}")
        if array.dtype.kind == "f":
            if array.dtype not in (np.float32, np.float64):
                array = array.astype(np.float64)
            finite = np.isfinite(array)
            if not finite.all():
                at = np.unravel_index(int(np.argmin(finite)), array.shape)
                where = ", ".join(str(int(index)) for index in at[1:])
                raise DataError(
                    f"{self.origin(key).at(int(at[0]))}{f', element [{where}]' if where else ''}: "
                    f"expected a finite number, found `{array[at]}`"
                )
        elif array.dtype != np.uint8:
            array = array.astype(np.float64)
        return array

    def target(self, key: ArrayKey) -> np.ndarray:
        """Numbers, or text for class names."""
        array = self.read(key)
        if array.dtype.kind != "U":
            return self.numbers(key)
        # Elements are stored as numbers of letters, and a damaged file has such as there are none of.
        letters = np.ascontiguousarray(array).view(np.dtype("u4").newbyteorder(array.dtype.byteorder))
        if (letters > 0x10FFFF).any() or (letters >> 11 == 0x1B).any():
            raise DataError(f"{self.place(key)}: holds what is no text")
        return array


class Block(Arrays):
    """Some rows of arrays, from the row `first` on."""

    def __init__(self, whole: ArrayFile, first: int, arrays: Mapping[ArrayKey, np.ndarray]) -> None:
        super().__init__(first)
        self._whole = whole
        self._arrays = arrays

    def place(self, key: ArrayKey) -> str:
        return self._whole.place(key)

    def name(self, key: ArrayKey) -> str:
        return self._whole.name(key)

    def origin(self, key: ArrayKey) -> Origin:
        return self._whole.origin(key, self.first)

    def read(self, key: ArrayKey) -> np.ndarray:
        return self._arrays[key]


class ArrayFile(Arrays):
    """An archive or files, open to be read."""

    @abstractmethod
    def origin(self, key: ArrayKey, first: int = 0) -> Origin:
        """Where its rows from the row `first` on come from."""

    @abstractmethod
    def header(self, key: ArrayKey) -> ArrayHeader:
        """Shape and type of an array, checked against what the file can hold. Raises DataError."""

    @abstractmethod
    def rows(self, key: ArrayKey) -> AbstractContextManager[NextRows]:
        """What reads an array from its first row on. Raises DataError."""

    def blocks(self, keys: Sequence[ArrayKey], most: int) -> Iterator[Block]:
        """The rows of these arrays, so many at a time. Raises DataError where their numbers of rows differ."""
        total = self.agreed(keys)
        with ExitStack() as stack:
            readers = {key: stack.enter_context(self.rows(key)) for key in dict.fromkeys(keys)}
            for begin in range(0, total, most):
                count = min(most, total - begin)
                yield Block(self, begin, {key: read(count) for key, read in readers.items()})

    def agreed(self, keys: Sequence[ArrayKey]) -> int:
        """The number of rows that all of these arrays have. Raises DataError where there are several."""
        counts = [self.header(key).shape[0] for key in keys]
        for key, count in zip(keys, counts, strict=True):
            if count != counts[0]:
                raise DataError(f"{self.place(key)}: has {count:,} rows, `{self.name(keys[0])}` has {counts[0]:,}")
        return counts[0]


def array_weights(arrays: Arrays, key: ArrayKey, *, whole: bool) -> np.ndarray:
    """How much each row counts, `(rows,)`. Raises DataError."""
    values, place = arrays.numbers(key).astype(np.float64), arrays.place(key)
    if values.size != len(values):
        raise DataError(f"{place}: sample weights are one number per row, not rows of shape {values.shape[1:]}")
    return checked_weights(values.reshape(-1), arrays.origin(key), arrays.name(key), whole=whole)
