"""The text of some files in, its tokens as numbers out: in memory, or in a file where there may be more of them.

While a text is read its tokens are codes. What number a token gets is known when all of them have been counted.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Literal, NamedTuple, Protocol, TypeAlias

from trainer_cli.data.running_text import in_whole_words, named, text_of
from trainer_cli.data.source import SplitSpec
from trainer_cli.data.stored_array import Growing
from trainer_cli.data.vocabulary import WORD, by_frequency, numbering
from trainer_cli.lazy import np

Unit: TypeAlias = Literal["character", "word", "byte"]

_CODE_POINTS = 0x110000
_TOKENS_AT_ONCE = 1 << 18


class _Codes(Protocol):
    """What tokens are told apart by while a text is read."""

    def of(self, blocks: Iterable[str], file: str) -> Iterator[np.ndarray]:
        """The codes of a text's tokens, int32."""

    def frequent(self, counts: np.ndarray, most: int | None) -> list[str]:
        """The tokens that occur by the counts of their codes, the most frequent first."""

    def numbers(self, vocabulary: Sequence[str]) -> np.ndarray | None:
        """The number of each code in the vocabulary, int32; None where codes are these numbers."""


class _Characters:
    """A character's code is its code point."""

    def of(self, blocks: Iterable[str], file: str) -> Iterator[np.ndarray]:
        for block in blocks:
            yield np.frombuffer(block.encode("utf-32-le"), "<u4").astype(np.int32, copy=False)

    def frequent(self, counts: np.ndarray, most: int | None) -> list[str]:
        present = np.flatnonzero(counts)
        return by_frequency(counts[present], [chr(point) for point in present.tolist()], most)

    def numbers(self, vocabulary: Sequence[str]) -> np.ndarray:
        table = np.ones(_CODE_POINTS, np.int32)
        for number, token in enumerate(vocabulary, start=2):
            if len(token) == 1:
                table[ord(token)] = number
        return table


class _Words:
    """A word's code is how many others were seen before it: every word is held once."""

    def __init__(self) -> None:
        self._places: dict[str, int] = {}

    def of(self, blocks: Iterable[str], file: str) -> Iterator[np.ndarray]:
        places = self._places
        for block in in_whole_words(blocks, file):
            codes = array("i", (places.setdefault(found.group(), len(places)) for found in WORD.finditer(block)))
            yield np.frombuffer(codes, np.int32) if codes else np.zeros(0, np.int32)

    def frequent(self, counts: np.ndarray, most: int | None) -> list[str]:
        # What was seen last may be in no part that is counted.
        return by_frequency(counts, list(self._places)[: len(counts)], most)

    def numbers(self, vocabulary: Sequence[str]) -> np.ndarray:
        return numbering(list(self._places), vocabulary)


class _KnownWords:
    """The words of a vocabulary, by their numbers there: no other is held."""

    def __init__(self, vocabulary: Sequence[str]) -> None:
        self._numbers = {word: number for number, word in enumerate(vocabulary, start=2)}

    def of(self, blocks: Iterable[str], file: str) -> Iterator[np.ndarray]:
        for block in in_whole_words(blocks, file):
            codes = array("i", (self._numbers.get(found.group(), 1) for found in WORD.finditer(block)))
            yield np.frombuffer(codes, np.int32) if codes else np.zeros(0, np.int32)

    def frequent(self, counts: np.ndarray, most: int | None) -> list[str]:
        raise NotImplementedError("the vocabulary is known")

    def numbers(self, vocabulary: Sequence[str]) -> None:
        return None


class Reading(NamedTuple):
    """How a text is read: into which tokens, in small letters or not, and by which vocabulary, if that is known.

    `most_bytes`: the most that a file may hold.
    """

    unit: Unit
    lowercase: bool = False
    vocabulary: Sequence[str] | None = None
    most_bytes: int | None = None

    def codes(self) -> _Codes:
        if self.unit != "word":
            return _Characters()
        return _Words() if self.vocabulary is None else _KnownWords(self.vocabulary)

    def text(self, paths: Sequence[Path]) -> Iterator[str]:
        return text_of(paths, as_bytes=self.unit == "byte", lowercase=self.lowercase, most_bytes=self.most_bytes)

    def numbers(self, paths: Sequence[Path]) -> Iterator[np.ndarray]:
        """The tokens' numbers, some at a time, where the vocabulary is known: however many there are."""
        assert self.vocabulary is not None
        codes = self.codes()
        table = codes.numbers(self.vocabulary)
        for block in codes.of(self.text(paths), named(paths)):
            yield block if table is None else table[block]


class Tokens(NamedTuple):
    """Tokens of a text, as codes or as numbers."""

    file: str
    values: np.ndarray

    def divided(self, split: SplitSpec) -> dict[str, Tokens]:
        """The text to train on, and those of the parts that are held out from its end."""
        total = len(self.values)
        test = round(total * split.test)
        validation = round(total * split.validation)
        borders = {"train": (0, total - validation - test)}
        if validation:
            borders["validation"] = (total - validation - test, total - test)
        if test:
            borders["test"] = (total - test, total)
        return {name: self._replace(values=self.values[begin:end]) for name, (begin, end) in borders.items()}


class RunningText:
    """A text that has been read; with a `path` its tokens are in this file, else in memory."""

    def __init__(self, paths: Sequence[Path], reading: Reading, path: Path | None) -> None:
        self._file = named(paths)
        self._path = path
        self._codes = reading.codes()
        blocks = self._codes.of(reading.text(paths), self._file)
        if path is None:
            self._values = np.concatenate([*blocks, np.zeros(0, np.int32)])
            return
        growing = Growing(path)
        for block in blocks:
            if len(block):
                growing.append(block, self._file)
        # No file can be mapped that holds nothing.
        self._values = growing.mapped() if growing.rows else np.zeros(0, np.int32)

    @property
    def tokens(self) -> Tokens:
        return Tokens(self._file, self._values)

    def vocabulary(self, counted: Tokens, most: int | None) -> list[str]:
        """The tokens that occur in a part of this text, the most frequent first, equals in the order of code points."""
        counts = np.zeros(0, np.int64)
        for begin in range(0, len(counted.values), _TOKENS_AT_ONCE):
            found = np.bincount(counted.values[begin : begin + _TOKENS_AT_ONCE], minlength=len(counts))
            found[: len(counts)] += counts
            counts = found
        return self._codes.frequent(counts, most)

    def numbered(self, vocabulary: Sequence[str]) -> Tokens:
        """All tokens by their numbers in the vocabulary. The codes are gone then."""
        table = self._codes.numbers(vocabulary)
        if table is None or not len(self._values):
            return self.tokens
        if self._path is None:
            self._values = table[self._values]
            return self.tokens
        with self._path.open("r+b") as file:
            for begin in range(0, len(self._values), _TOKENS_AT_ONCE):
                numbers = table[self._values[begin : begin + _TOKENS_AT_ONCE]]
                file.seek(begin * numbers.itemsize)
                file.write(numbers.data)
        return self.tokens


def windows(values: np.ndarray, length: int, stride: int) -> np.ndarray:
    """Windows of tokens `(rows, length)`, a view: nothing is copied."""
    return np.lib.stride_tricks.sliding_window_view(values, length)[::stride]


def windows_of(numbers: Iterable[np.ndarray], length: int, stride: int, most: int) -> Iterator[np.ndarray]:
    """The windows of all tokens as these come, `most` at a time."""
    # `ahead`: how many tokens lie between what has been read and the next window.
    rest, ahead = np.zeros(0, np.int32), 0
    enough = (most - 1) * stride + length
    for block in numbers:
        ahead, block = max(0, ahead - len(block)), block[ahead:]
        rest = np.concatenate([rest, block])
        while len(rest) >= enough:
            yield windows(rest[:enough], length, stride)
            ahead, rest = max(0, most * stride - len(rest)), rest[most * stride :]
    if len(rest) >= length:
        yield windows(rest, length, stride)


def characters_of(paths: Sequence[Path]) -> tuple[int, int]:
    """How many different characters a text holds, and how many in all, however long it is. Raises DataError."""
    seen: set[str] = set()
    total = 0
    for block in text_of(paths):
        seen.update(block)
        total += len(block)
    return len(seen), total
