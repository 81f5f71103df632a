"""The values that a key has in one row after the other in; an array of all rows, padded where they vary, out."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, Field

from trainer_cli.data.files import shown
from trainer_cli.data.vocabulary import WORD
from trainer_cli.errors import DataError
from trainer_cli.lazy import np

_MOST_AXES = 8
_MOST_ELEMENTS = 1 << 28

Kind = Literal["numbers", "sequence", "tokens"]
"""Numbers in a fixed shape; a list of numbers, or of arrays of numbers, of any length; a list of tokens or a text."""
End = Literal["pre", "post"]


class SequenceSpec(BaseModel):
    """How lists of any length become rows of one length, as in Keras's `pad_sequences`."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False, defer_build=True)

    length: int = Field(gt=0, le=1 << 20, description="steps in a row: shorter lists are padded, longer ones cut")
    padding: End = Field(default="pre", description="whether padding stands before or behind a short list")
    truncating: End = Field(default="pre", description="whether a long list loses its beginning or its end")
    value: float = Field(default=0.0, description="the number that fills up short lists; tokens are filled with 0")

    def place(self, count: int) -> tuple[slice, slice]:
        """For a list of `count` elements: where it goes in the row, and which of it."""
        kept = min(count, self.length)
        target = slice(self.length - kept, self.length) if self.padding == "pre" else slice(0, kept)
        return target, slice(count - kept, count) if self.truncating == "pre" else slice(0, kept)


class Layout(NamedTuple):
    """How the values of one or several keys become a row: `shape` is the row's."""

    kind: Kind
    shape: tuple[int, ...]


def layout_of(values: Sequence[Any], keys: Sequence[str], sequence: SequenceSpec | None, where: str) -> Layout | None:
    """The layout that the values of a row's keys show; None for an empty list, which shows nothing."""
    if len(keys) > 1:
        return Layout("numbers", (len(keys),))
    value = values[0]
    if isinstance(value, list) and not value:
        return None
    text = isinstance(value, str) or (isinstance(value, list) and isinstance(value[0], str))
    if sequence is None:
        if text:
            hint = "say how long a row is, for example `sequence: {length: 80}`"
            raise DataError(f"{where}, key `{keys[0]}`: holds text, which is read as a sequence of tokens", hint=hint)
        return Layout("numbers", _shape(value, where, keys[0]) or (1,))
    if text:
        return Layout("tokens", (sequence.length,))
    if not isinstance(value, list):
        return Layout("numbers", (1,))
    return Layout("sequence", (sequence.length, *_shape(value, where, keys[0])[1:]))


def _shape(value: Any, where: str, key: str) -> tuple[int, ...]:
    """That of nested lists. Raises DataError if these hold no number."""
    shape = numbers(value, where, key).shape
    if 0 in shape:
        raise DataError(f"{where}, key `{key}`: expected numbers, found lists of nothing, {shown(value)}")
    return shape


class Column:
    """All rows of an input or target as they are read; memory grows with the rows."""

    def __init__(self, keys: Sequence[str], layout: Layout, sequence: SequenceSpec | None, characters: bool) -> None:
        self.keys = list(keys)
        self.layout = layout
        self.names: dict[str, int] = {}
        self._sequence = sequence
        self._characters = characters
        self._rows = 0
        dtype, fill = (np.int32, -1) if layout.kind == "tokens" else (np.float64, sequence.value if sequence else 0.0)
        self._fill = fill
        self._values = np.full((64, *layout.shape), fill, dtype)

    def add(self, record: dict[str, Any], where: str) -> None:
        """Append the row. Raises DataError that names it."""
        if self._rows == len(self._values):
            more = np.full_like(self._values, self._fill)
            self._values = np.concatenate([self._values, more])
        row = self._values[self._rows]
        self._rows += 1
        for place, key in enumerate(self.keys):
            if key not in record:
                raise DataError(f"{where}: there is no key `{key}`")
            value = record[key]
            if self.layout.kind == "tokens":
                self._add_tokens(row, value, f"{where}, key `{key}`")
            elif self.layout.kind == "sequence":
                self._add_sequence(row, value, where, key)
            elif len(self.keys) > 1:
                row[place] = self._shaped(value, (), where, key)
            else:
                row[...] = self._shaped(value, self.layout.shape, where, key)

    def array(self) -> np.ndarray:
        """All rows, `(rows, …)`: float64, or int32 codes of `names` with -1 for padding."""
        return self._values[: self._rows]

    def _shaped(self, value: Any, shape: tuple[int, ...], where: str, key: str) -> np.ndarray:
        found = numbers(value, where, key)
        if found.shape != shape and not (shape == (1,) and not found.shape):
            expected = "one number" if shape in ((), (1,)) else f"numbers of shape {shape} as in the rows before"
            raise DataError(
                f"{where}, key `{key}`: expected {expected}, found {shown(value)}",
                hint="lists of any length need `sequence: {length: …}`" if len(found.shape) == len(shape) else None,
            )
        return found

    def _add_sequence(self, row: np.ndarray, value: Any, where: str, key: str) -> None:
        assert self._sequence is not None
        if value == []:
            return
        found = numbers(value, where, key)
        if found.ndim == 0 or found.shape[1:] != row.shape[1:]:
            step = "numbers" if row.ndim == 1 else f"steps of shape {row.shape[1:]}"
            raise DataError(f"{where}, key `{key}`: expected a list of {step}, found {shown(value)}")
        target, kept = self._sequence.place(len(found))
        row[target] = found[kept]

    def _add_tokens(self, row: np.ndarray, value: Any, where: str) -> None:
        assert self._sequence is not None
        if isinstance(value, str):
            value = list(value) if self._characters else WORD.findall(value)
        if not isinstance(value, list) or not all(isinstance(token, str) for token in value):
            raise DataError(f"{where}: expected a text or a list of texts, found {shown(value)}")
        target, kept = self._sequence.place(len(value))
        row[target] = [self.names.setdefault(token, len(self.names)) for token in value[kept]]


def numbers(value: Any, where: str, key: str) -> np.ndarray:
    """A number, a boolean or nested lists of them as float64. Raises DataError for anything else."""
    try:
        found = np.asarray(value)
    except (ValueError, OverflowError):  # lists of different lengths
        found = np.empty(0, object)
    if found.dtype.kind not in "biuf" or found.ndim > _MOST_AXES or found.size > _MOST_ELEMENTS:
        expected = "numbers, the same count in every list" if isinstance(value, list) else "a number"
        raise DataError(f"{where}, key `{key}`: expected {expected}, found {shown('null' if value is None else value)}")
    found = found.astype(np.float64, copy=False)
    if not (math.isfinite(found) if found.ndim == 0 else np.isfinite(found).all()):
        raise DataError(f"{where}, key `{key}`: expected finite numbers, found {shown(value)}")
    return found
