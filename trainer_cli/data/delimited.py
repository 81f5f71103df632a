"""A delimited text file with a header in, numbers and text by column out; the first bad cell is named by its line."""

from __future__ import annotations

import csv
import io
import math
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from fnmatch import fnmatchcase
from functools import partial
from itertools import islice
from pathlib import Path
from sys import intern
from typing import NamedTuple

from trainer_cli.data.files import nearest, not_utf8, open_bytes, shown
from trainer_cli.data.room import Room
from trainer_cli.data.source import Origin
from trainer_cli.errors import DataError
from trainer_cli.lazy import np

TRUE = frozenset({"true", "t", "yes", "y", "1", "1.0"})
FALSE = frozenset({"false", "f", "no", "n", "0", "0.0"})
_GAP = "say what becomes of missing values, for example `missing: median`; or fill or drop the row"
_TEXT = "leave the column out of `features`, or read it as `columns: {{{}: {{kind: categorical}}}}`"

_LONGEST_LINE = 1 << 26

_ROWS_AT_ONCE = 128
"""Rows parsed before their text becomes numbers: converted in bulk while it is in cache (4,096 take twice as long)."""


MISSING = frozenset({"", "?", "na", "n/a", "nan", "null"})
"""What a cell that holds nothing may say, in capitals or not, where missing values are not refused."""


class Header(NamedTuple):
    path: Path
    names: list[str]

    def matching(self, wanted: Sequence[str]) -> list[str]:
        """The wanted columns, patterns replaced by the names that match. Raises DataError if one is missing."""
        found: dict[str, None] = {}  # each once, in order
        there = set(self.names)
        for name in wanted:
            pattern = name not in there and any(character in name for character in "*?[")
            matching = [each for each in self.names if fnmatchcase(each, name)] if pattern else [name]
            if not matching:
                raise DataError(f"{self.path}: no column matches `{name}`", hint=nearest(name, self.names, "columns"))
            found.update(dict.fromkeys(matching))
        self.positions(list(found))
        return list(found)

    def positions(self, wanted: Sequence[str]) -> list[int]:
        """Where the wanted columns stand in a row. Raises DataError if one is missing."""
        places = {name: position for position, name in enumerate(self.names)}
        missing = [name for name in wanted if name not in places]
        if len(missing) == len(wanted) and all(map(is_number, self.names)):
            raise _no_header(self.path)
        if missing:
            raise DataError(f"{self.path}: no column `{missing[0]}`", hint=nearest(missing[0], self.names, "columns"))
        return [places[name] for name in wanted]


class Piece(NamedTuple):
    """Some rows as they are read: plain numbers as (rows, columns) float64 with NaN for gaps, the texts of each other
    column, and where the rows come from."""

    values: np.ndarray
    texts: list[list[str]]
    origin: Origin


class DelimitedFile(NamedTuple):
    """One delimited text file."""

    path: Path
    delimiter: str
    encoding: str = "utf-8"

    def header(self) -> Header:
        with self.opened() as (header, _):
            return header

    def read(
        self, features: list[str], targets: list[str], gaps: Collection[str] = ()
    ) -> tuple[np.ndarray, list[list[str]], Origin]:
        """The features as (rows, columns) float64, the text of each target column, and the rows' line numbers.

        A feature among `gaps` may have missing values, which become NaN.
        """
        return next(self.pieces(features, targets, gaps))

    def pieces(
        self, numbers: list[str], texts: list[str], gaps: Collection[str] = (), most: int | None = None
    ) -> Iterator[Piece]:
        """What `read` gives, `most` rows at a time; None: all at once."""
        found = False
        with self.opened() as (header, records):
            inputs, outputs = header.positions(numbers), header.positions(texts)
            while (piece := self._piece(records, numbers, inputs, outputs, gaps, most)) is not None:
                found = True
                yield piece
        if not found:
            raise DataError(f"{self.path}: has a header but no rows")

    def _piece(
        self,
        records: Iterator[tuple[int, list[str]]],
        names: list[str],
        inputs: list[int],
        outputs: list[int],
        gaps: Collection[str],
        most: int | None,
    ) -> Piece | None:
        """The next rows; None if there are none."""
        values = np.empty((_ROWS_AT_ONCE, len(names)))
        texts: list[list[str]] = [[] for _ in outputs]
        starts: list[int] = []
        at_once = _ROWS_AT_ONCE if most is None else min(most, _ROWS_AT_ONCE)
        room = Room(str(self.path))
        while (most is None or len(starts) < most) and (rows := list(islice(records, at_once))):
            before = len(starts)
            starts.extend(start for start, _ in rows)
            room.check(len(starts))
            columns = list(zip(*(record for _, record in rows), strict=True))
            if len(starts) > len(values):
                values.resize((2 * len(values), len(names)), refcheck=False)
            self._convert([columns[place] for place in inputs], names, starts[before:], values[before:], gaps)
            for text, place in zip(texts, outputs, strict=True):
                text.extend(map(intern, columns[place]))
        if not starts:
            return None
        contiguous = starts[-1] - starts[0] == len(starts) - 1
        lines = None if contiguous else np.asarray(starts, np.int64)
        values.resize((len(starts), len(names)), refcheck=False)
        return Piece(values, texts, Origin(str(self.path), "line", starts[0], lines))

    def _convert(
        self,
        columns: list[tuple[str, ...]],
        names: list[str],
        starts: list[int],
        values: np.ndarray,
        gaps: Collection[str],
    ) -> None:
        """Write the numbers of some rows to the head of `values`; look for the bad cell only if there is one."""
        try:
            for position, cells in enumerate(columns):
                read = _number_or_gap if names[position] in gaps else float
                values[: len(starts), position] = np.fromiter(map(read, cells), np.float64, len(cells))
            finite = np.isfinite(values[: len(starts)])
            if gaps:
                finite |= np.isnan(values[: len(starts)])
            sound = bool(finite.all())
        except ValueError:
            sound = False
        # Python reads 1_000 as a number, no other program does.
        if not sound or any("_" in "".join(cells) for cells in columns):
            for row, start in enumerate(starts):
                for name, cells in zip(names, columns, strict=True):
                    if name not in gaps or not is_missing(cells[row]):
                        check_number(cells[row], f"{self.path}, line {start}", name, feature=True)

    def distinct(self, columns: list[str], gaps: Collection[str], most: int) -> list[int]:
        """How many categories each column holds in the first `most` rows."""
        found: list[set[str]] = [set() for _ in columns]
        with self.opened() as (header, records):
            places = header.positions(columns)
            for _, record in islice(records, most):
                for texts, place in zip(found, places, strict=True):
                    texts.add(record[place])
        return [
            len({text.strip() for text in texts if not _is_gap(text, name in gaps)})
            for name, texts in zip(columns, found, strict=True)
        ]

    @contextmanager
    def opened(self) -> Iterator[tuple[Header, Iterator[tuple[int, list[str]]]]]:
        """The header, and the rows with the number of the line on which each begins."""
        try:
            with open_bytes(self.path) as raw:
                encoding = "utf-8-sig" if self.encoding == "utf-8" else self.encoding
                text = io.TextIOWrapper(raw, encoding=encoding, newline="")
                reader = csv.reader(_sound_lines(text, self.path), delimiter=self.delimiter, strict=True)
                records = self._records(reader)
                first = next(records, None)
                if first is None:
                    raise DataError(f"{self.path}: is empty")
                yield self._checked_header(first[1]), self._even(records, len(first[1]))
        except UnicodeError as error:
            if self.encoding == "utf-8":
                raise not_utf8(self.path) from None
            raise DataError(f"{self.path}: is not {self.encoding}: {error}") from None

    def _records(self, reader: Iterator[list[str]]) -> Iterator[tuple[int, list[str]]]:
        """Rows that are not blank. A quoted field may span lines, so a row's line is not its number."""
        before = 0
        try:
            for record in reader:
                if record:
                    yield before + 1, record
                before = reader.line_num  # type: ignore[attr-defined]
        except csv.Error as error:
            problem = "a quoted field is never closed" if "end of data" in str(error) else str(error)
            raise DataError(f"{self.path}, line {before + 1}: {problem}") from None

    def _even(self, records: Iterator[tuple[int, list[str]]], width: int) -> Iterator[tuple[int, list[str]]]:
        for start, record in records:
            if len(record) != width:
                raise DataError(
                    f"{self.path}, line {start}: expected {width} cells as in the header, found {len(record)}"
                )
            yield start, record

    def _checked_header(self, cells: list[str]) -> Header:
        names = [cell.strip() for cell in cells]
        for name, count in Counter(names).items():
            if name and count > 1:
                if all(map(is_number, names)):
                    raise _no_header(self.path)
                raise DataError(f"{self.path}: the header names the column `{name}` twice")
        if len(names) == 1:
            for other in (",", ";", "\t", "|"):
                if other in names[0]:
                    raise DataError(
                        f"{self.path}: the header has one column, {shown(names[0])}",
                        hint=f"is the delimiter {other!r}? Set `delimiter`",
                    )
        return Header(self.path, names)


def _no_header(path: Path) -> DataError:
    return DataError(
        f"{path}: the first line holds numbers, not the names of columns", hint="add a line with the columns' names"
    )


def _sound_lines(text: io.TextIOWrapper, path: Path) -> Iterator[str]:
    """Lines of a length that memory can bear, which a small archive need not have, and without NUL bytes."""
    for number, line in enumerate(iter(partial(text.readline, _LONGEST_LINE + 1), ""), start=1):
        if len(line) > _LONGEST_LINE:
            raise DataError(f"{path}, line {number}: is longer than {_LONGEST_LINE >> 20} million characters")
        if "\0" in line:
            raise DataError(f"{path}, line {number}: holds a NUL byte", hint="is it a text file in UTF-8?")
        yield line


def is_missing(text: str) -> bool:
    """Whether a cell says that there is no value."""
    return text.strip().lower() in MISSING


def _number_or_gap(text: str) -> float:
    # "nan" itself is a gap here, and float() reads it as one.
    return math.nan if is_missing(text) else float(text)


def is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return "_" not in text


def check_number(text: str, place: str, column: str, feature: bool) -> None:
    """Raise a DataError if a cell holds no finite number."""
    where = f"{place}, column `{column}`"
    if not text.strip():
        raise DataError(f"{where}: the cell is empty", hint=_GAP if feature else "fill or drop the row")
    if not is_number(text):
        hint = _TEXT.format(column) if feature else None
        raise DataError(f"{where}: expected a number, found {shown(text)}", hint=hint)
    if not math.isfinite(float(text)):
        raise DataError(f"{where}: expected a finite number, found {shown(text)}")


def numbers_of(texts: list[str], origin: Origin, column: str, gaps: bool = False) -> np.ndarray:
    """A column of numbers, float64; `nan` in any spelling is one where `gaps` may be. Raises DataError."""
    try:
        values = np.fromiter(map(float, texts), np.float64, len(texts))
        good = np.isfinite(values) | np.isnan(values) if gaps else np.isfinite(values)
        sound = bool(good.all()) and not any("_" in text for text in texts)
    except ValueError:
        sound = False
    if not sound:
        for row, text in enumerate(texts):
            if not (gaps and is_missing(text)):
                check_number(text, origin.at(row), column, feature=False)
    return values


def numbers_or_text(texts: list[str], origin: Origin, column: str) -> np.ndarray:
    """A target column: float64 if every cell is a number, else text. No cell may be empty."""
    for row, text in enumerate(texts):
        if not text.strip():
            check_number(text, origin.at(row), column, feature=False)
    if all(is_number(text) for text in set(texts)):
        return numbers_of(texts, origin, column)
    return np.asarray([text.strip() for text in texts])


def booleans(texts: list[str], origin: Origin, column: str, gaps: bool) -> np.ndarray:
    """A column of yes and no in any of its spellings: 1, 0 and NaN for a missing value, float64."""
    meanings = {text: _meaning(text) for text in set(texts)}
    for row, text in enumerate(texts):
        if meanings[text] is None or (meanings[text] != meanings[text] and not gaps):
            refuse_gap(text, origin.at(row), column, gaps)
            raise DataError(f"{origin.at(row)}, column `{column}`: expected true or false, found {shown(text)}")
    return np.fromiter((meanings[text] for text in texts), np.float64, len(texts))


def _meaning(text: str) -> float | None:
    if is_missing(text):
        return math.nan
    lowered = text.strip().lower()
    return 1.0 if lowered in TRUE else 0.0 if lowered in FALSE else None


def codes(texts: list[str], origin: Origin, column: str, gaps: bool) -> tuple[np.ndarray, tuple[str, ...]]:
    """A column of categories as codes, float64 with NaN for a missing value; and what the codes stand for.

    Where gaps are refused, only an empty cell is one: `NA` may be a category.
    """
    places: dict[str, int] = {}
    known: dict[str, float] = {}
    for row, text in enumerate(texts):
        if text in known:
            continue
        if _is_gap(text, gaps):
            refuse_gap(text, origin.at(row), column, gaps)
            known[text] = math.nan
        else:
            known[text] = places.setdefault(text.strip(), len(places))
    return np.fromiter((known[text] for text in texts), np.float64, len(texts)), tuple(places)


def _is_gap(text: str, gaps: bool) -> bool:
    return is_missing(text) if gaps else not text.strip()


def refuse_gap(text: str, place: str, column: str, gaps: bool) -> None:
    """Raise a DataError for a cell that says that there is no value, where that is refused."""
    if is_missing(text) and not gaps:
        raise DataError(f"{place}, column `{column}`: the cell is {'no value' if text.strip() else 'empty'}", hint=_GAP)
