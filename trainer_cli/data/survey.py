"""A file of a table in; what each of its columns seems to hold, and how many rows there are, out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Literal, NamedTuple

from trainer_cli.data.delimited import FALSE, TRUE, DelimitedFile, is_missing, is_number
from trainer_cli.data.files import open_bytes
from trainer_cli.data.tabular import table_kind
from trainer_cli.data.times import seconds
from trainer_cli.errors import DataError

_ROWS_LOOKED_AT = 200_000
_ROWS_AT_ONCE = 1 << 14
_DELIMITERS = (",", ";", "\t", "|")
_MOST_DISTINCT = 10_000
"""Different texts of a column that are kept; one with more is neither of categories nor of classes."""

Looks = Literal["numeric", "boolean", "date", "text", "empty", "other"]


class SurveyedColumn(NamedTuple):
    """What a column holds: how many cells are missing, the different texts of the others with how often each occurs
    (None if there are too many), and for numbers their range, mean and deviation. `counting`: each row holds the
    number of the row before plus 1. `stored`: what it is stored as, if that is neither numbers nor text."""

    name: str
    looks: Looks
    missing: int
    first_missing: int | None
    texts: dict[str, int] | None
    whole: bool = False
    low: float = 0.0
    high: float = 0.0
    mean: float = 0.0
    deviation: float = 0.0
    counting: bool = False
    stored: str = ""


class Survey(NamedTuple):
    """All columns in the file's order; `rows` are those that were looked at, `complete`: there are no others.

    `source` is the type of data source that reads the file, `word` is what a row is called in messages.
    """

    path: Path
    source: str
    delimiter: str | None
    rows: int
    complete: bool
    columns: dict[str, SurveyedColumn]
    word: str = "line"


def survey(path: Path) -> Survey:
    """Look at the first rows of a file. Raises DataError if it is no table."""
    source = table_kind(path) or "csv"
    delimiter = _delimiter(path) if source == "csv" else None
    with _delimited(path, delimiter) if delimiter is not None else _stored(path, source) as (names, odd, records):
        tallies = {name: _Tally() for name in names if name not in odd}
        rows = 0
        for row, record in islice(records, _ROWS_LOOKED_AT):
            rows += 1
            for tally, cell in zip(tallies.values(), record, strict=True):
                tally.add(cell.strip(), row)
        complete = next(records, None) is None
    if not rows:
        raise DataError(f"{path}: has a header but no rows")
    found = {
        name: SurveyedColumn(name, "other", 0, None, None, stored=odd[name])
        if name in odd
        else tallies[name].column(name)
        for name in names
    }
    return Survey(path, source, delimiter, rows, complete, found, "line" if source == "csv" else "row")


_Records = Iterator[tuple[int, Sequence[str]]]


@contextmanager
def _delimited(path: Path, delimiter: str) -> Iterator[tuple[list[str], dict[str, str], _Records]]:
    """The columns' names, and every row with its line."""
    file = DelimitedFile(path, delimiter)
    names = file.header().names
    with file.opened() as (_, records):
        yield names, {}, records


@contextmanager
def _stored(path: Path, source: str) -> Iterator[tuple[list[str], dict[str, str], _Records]]:
    """The same of Parquet or Arrow, and what columns are stored as that hold neither numbers nor text."""
    from trainer_cli.data.arrow_file import ArrowFile

    file = ArrowFile(path, parquet=source == "parquet")
    names, odd = file.header().names, file.unreadable()
    pieces = file.pieces([], [name for name in names if name not in odd], (), _ROWS_AT_ONCE)
    rows = (record for piece in pieces for record in zip(*piece.texts, strict=True))
    yield names, odd, enumerate(rows)


def _delimiter(path: Path) -> str:
    """The one that divides the first line into the most cells."""
    with open_bytes(path) as file:
        first = file.readline(1 << 20).decode("utf-8", "replace")
    return max(_DELIMITERS, key=first.count)


class _Tally:
    """One column as its cells are read."""

    def __init__(self) -> None:
        self.texts: dict[str, int] | None = {}
        self.missing, self.first_missing = 0, None
        self.numbers, self.others, self.dates = 0, 0, True
        self.whole, self.counting = True, True
        self.low, self.high, self.last = float("inf"), float("-inf"), 0.0
        self.mean, self.squares = 0.0, 0.0

    first_missing: int | None

    def add(self, cell: str, line: int) -> None:
        if is_missing(cell):
            self.missing += 1
            self.first_missing = line if self.first_missing is None else self.first_missing
            return
        if self.texts is not None:
            self.texts[cell] = self.texts.get(cell, 0) + 1
            if len(self.texts) > _MOST_DISTINCT:
                self.texts = None
        if not is_number(cell):
            self.others += 1
            self.dates = self.dates and seconds(cell) is not None
            return
        value = float(cell)
        self.numbers += 1
        self.whole &= value.is_integer()
        self.counting &= self.numbers == 1 or value == self.last + 1
        self.last = value
        self.low, self.high = min(self.low, value), max(self.high, value)
        # Welford's recurrence: no sum of squares that loses the small deviation of large numbers.
        step = value - self.mean
        self.mean += step / self.numbers
        self.squares += step * (value - self.mean)

    def column(self, name: str) -> SurveyedColumn:
        plain = SurveyedColumn(name, "empty", self.missing, self.first_missing, self.texts)
        if not self.numbers + self.others:
            return plain
        if self.others:
            if self.dates and not self.numbers:
                return plain._replace(looks="date")
            words = {text.lower() for text in self.texts or ()}
            boolean = self.texts is not None and len(words) == 2 and bool(words & TRUE) and bool(words & FALSE)
            return plain._replace(looks="boolean" if boolean and words <= TRUE | FALSE else "text")
        return plain._replace(
            looks="numeric",
            whole=self.whole,
            low=self.low,
            high=self.high,
            mean=self.mean,
            deviation=(self.squares / self.numbers) ** 0.5,
            counting=self.counting and self.whole and self.numbers > 2,
        )
