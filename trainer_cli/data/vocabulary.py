"""Rows of tokens as codes of their file in, rows of numbers of a vocabulary out; the vocabulary is kept with it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from trainer_cli.data.source import InputArray
from trainer_cli.errors import DataError
from trainer_cli.lazy import np

PADDING = "[PAD]"
"""The token 0, which no text holds: a model with `mask_zero` passes over it."""
UNKNOWN = "[UNK]"
"""The token 1, which stands for all that the vocabulary lacks."""

WORD = re.compile(r"\w+(?:['’]\w+)*|[^\w\s]")
"""A word with its apostrophes, or a punctuation mark."""
OUTSIDE_WORDS = re.compile(r"[^\w'’]")
"""What stands in no word: behind it a new one begins."""

_ROWS_AT_ONCE = 1 << 14


def by_frequency(counts: np.ndarray, names: Sequence[str], most: int | None) -> list[str]:
    """The tokens that occur, the most frequent first and equals in the order of their code points."""
    found = sorted((-count, name) for count, name in zip(counts.tolist(), names, strict=True) if count)
    return [name for _, name in found[:most]]


def numbering(names: Sequence[str], vocabulary: Sequence[str]) -> np.ndarray:
    """For each name the number that the vocabulary gives it, int32; 1 for those that it lacks."""
    places = {name: number for number, name in enumerate(vocabulary, start=2)}
    return np.asarray([places.get(name, 1) for name in names], np.int32)


@dataclass(frozen=True)
class Vocabulary:
    """How an input of tokens is encoded: the shape of a row, and the tokens by number, from 2 on."""

    shape: tuple[int, ...]
    tokens: tuple[str, ...]

    input_scale: ClassVar[float] = 1.0

    def to_json(self) -> dict[str, Any]:
        return {"shape": list(self.shape), "vocabulary": list(self.tokens)}

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Vocabulary:
        return cls(tuple(value["shape"]), tuple(value["vocabulary"]))

    def apply(self, given: InputArray, rows: np.ndarray | None) -> np.ndarray:
        """The given rows (None: all) as int32 numbers; places without a token become 0."""
        if given.words is None:
            raise DataError(f"{given.origin.file}: holds numbers, the model was trained on tokens as text")
        if given.values.shape[1:] != self.shape:
            shapes = f"{given.values.shape[1:]}, the model was trained on {self.shape}"
            raise DataError(f"{given.origin.file}: rows have shape {shapes}")
        codes = given.values if rows is None else given.values[rows]
        # The code -1 of padding reads the last entry.
        return np.append(numbering(given.words.names, self.tokens), np.int32(0))[codes]


def fit_vocabulary(given: InputArray, rows: np.ndarray | None, bound: int | None) -> Vocabulary:
    """Learn the tokens of the training rows (None: all). Raises DataError if the model has no room for them."""
    assert given.words is not None
    names, most, fixed = given.words
    tokens = fixed
    if tokens is None:
        counts = np.zeros(len(names), np.int64)
        # Block by block: there may be more rows than memory holds.
        for begin in range(0, len(given.values) if rows is None else len(rows), _ROWS_AT_ONCE):
            chosen = slice(begin, begin + _ROWS_AT_ONCE)
            codes = given.values[chosen if rows is None else rows[chosen]]
            counts += np.bincount(codes[codes >= 0], minlength=len(names))
        tokens = tuple(by_frequency(counts, names, None if most is None else most - 2))
    check_room(given.origin.file, len(tokens) + 2, bound)
    return Vocabulary(given.values.shape[1:], tokens)


def check_room(file: str, count: int, bound: int | None, what: str = "different tokens") -> None:
    """Raise a DataError if the model takes fewer different tokens than there are."""
    if bound is not None and count > bound:
        raise DataError(
            f"{file}: there are {count} {what}, the model takes numbers below {bound}",
            hint=f"set the embedding's `input_dim` to {count}"
            + (f", or the data's `vocabulary_size` to {bound}" if "tokens" in what else ""),
        )
