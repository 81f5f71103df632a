"""A delimited text file in; what each of its columns seems to hold, and how many rows there are, out."""

from __future__ import annotations

from itertools import islice
from pathlib import Path
from typing import Literal, NamedTuple

from trainer_cli.data.delimited import FALSE, TRUE, DelimitedFile, is_missing, is_number
from trainer_cli.data.files import open_bytes
from trainer_cli.errors import DataError

_ROWS_LOOKED_AT = 200_000
_DELIMITERS = (",", ";", "\t", "|")
_MOST_DISTINCT = 10_000
"""Different texts of a column that are kept; one with more is neither of categories nor of classes."""

Looks = Literal["numeric", "boolean", "text", "empty"]


class SurveyedColumn(NamedTuple):
    """What a column holds: how many cells are missing, the different texts of the others with how often each occurs
    (None if there are too many), and for numbers their range, mean and deviation. `counting`: each row holds the
    number of the row before plus 1."""

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


class Survey(NamedTuple):
    """All columns in the file's order; `rows` are those that were looked at, `complete`: there are no others."""

    path: Path
    delimiter: str
    rows: int
    complete: bool
    columns: dict[str, SurveyedColumn]


def survey(path: Path) -> Survey:
    """Look at the first rows of a file. Raises DataError if it is no table."""
    file = DelimitedFile(path, _delimiter(path))
    names = file.header().names
    tallies = [_Tally() for _ in names]
    rows = 0
    with file.opened() as (_, records):
        for line, record in islice(records, _ROWS_LOOKED_AT):
            rows += 1
            for tally, cell in zip(tallies, record, strict=True):
                tally.add(cell.strip(), line)
        complete = next(records, None) is None
    if not rows:
        raise DataError(f"{path}: has a header but no rows")
    found = {name: tally.column(name) for name, tally in zip(names, tallies, strict=True)}
    return Survey(path, file.delimiter, rows, complete, found)


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
        self.numbers, self.others = 0, 0
        self.whole, self.counting = True, True
        self.low, self.high, self.last = float("inf"), float("-inf"), 0.0
        self.mean, self.squares = 0.0, 0.0

    first_missing: int | None

    def add(self, cell: str, line: int) -> None:
        if is_missing(cell):
            self.missing += 1
            self.first_missing = self.first_missing or line
            return
        if self.texts is not None:
            self.texts[cell] = self.texts.get(cell, 0) + 1
            if len(self.texts) > _MOST_DISTINCT:
                self.texts = None
        if not is_number(cell):
            self.others += 1
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
