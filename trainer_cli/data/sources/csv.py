"""A text file with a header and one row per line in, a table of numbers and its target columns out."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from fnmatch import fnmatchcase
from itertools import islice
from pathlib import Path
from sys import intern
from typing import Annotated, Any, ClassVar, Literal, NamedTuple, Self

from pydantic import Field, model_validator

from trainer_cli.data.files import digest, nearest, not_utf8, open_bytes, shown
from trainer_cli.data.source import (
    INPUT,
    TARGET,
    InputArray,
    InputSignature,
    Origin,
    Signature,
    Source,
    SplitSpec,
    Table,
    TargetArray,
)
from trainer_cli.errors import DataError
from trainer_cli.lazy import np
from trainer_cli.parts.families import Refusal, refusal

_ROWS_AT_ONCE = 128
"""Rows parsed before their text becomes numbers: converted in bulk while it is in cache (4,096 take twice as long)."""

Name = Annotated[str, Field(min_length=1)]
Names = Annotated[list[Name], Field(min_length=1)]


class Csv(Source):
    """Comma-separated values (or tabs, semicolons, …) with a header; gzipped if the name ends in `.gz`.

    `target` names the column to predict, or several numeric ones; null for data without a target. `features` are the
    input columns in the model's order; null takes all but the target, in the file's order. Names may be patterns such
    as `pixel_*`. For a model with several inputs `features` is a mapping of their names to lists, and for one with
    several outputs `target` maps theirs to columns. `validation_path` and `test_path` name files of their own for
    these parts.
    """

    path_fields: ClassVar[tuple[str, ...]] = ("path", "validation_path", "test_path")

    path: Name = Field(description="the file, relative to the config's folder")
    target: Name | Names | dict[Name, Name | Names] | None = Field(
        default=None,
        description="the column to predict, or a list of numeric ones; by output name if several",
    )
    features: Names | Annotated[dict[Name, Names], Field(min_length=1)] | None = Field(
        default=None,
        description="the input columns in the model's order, by input name if there are several; default: all but the "
        "target",
    )
    delimiter: Literal[",", ";", "\t", "|", " "] = Field(default=",", description="what separates the cells of a row")
    validation_path: Name | None = Field(default=None, description="a file of its own for the validation data")
    test_path: Name | None = Field(default=None, description="a file of its own for the test data")

    @model_validator(mode="after")
    def _name_each_column_once(self) -> Self:
        for what, given in (("target", self._targets), ("features", self._features or {})):
            for names in given.values():
                for name in names if isinstance(names, list) else ():
                    if names.count(name) > 1:
                        message = f"the column `{name}` is named twice"
                        raise refusal([Refusal("column_named_twice", message, where=(what,))])
        if isinstance(self.target, str | list) and isinstance(self.features, list):
            for name in [self.target] if isinstance(self.target, str) else self.target:
                if name in self.features:
                    message = f"the target `{name}` is among the features as well"
                    raise refusal([Refusal("target_among_features", message, where=("features",))])
        return self

    @property
    def _targets(self) -> Mapping[str, str | list[str]]:
        """The columns of the targets by the targets' names."""
        if self.target is None:
            return {}
        return self.target if isinstance(self.target, dict) else {TARGET: self.target}

    @property
    def _features(self) -> Mapping[str, list[str]] | None:
        """The columns of the inputs by the inputs' names; None for all columns but the targets'."""
        return {INPUT: self.features} if isinstance(self.features, list) else self.features

    @property
    def own_parts(self) -> tuple[str, ...]:
        given = (("validation", self.validation_path), ("test", self.test_path))
        return tuple(name for name, path in given if path is not None)

    def signature(self, folder: Path) -> Signature:
        features, targets = self._choose(_File(folder / self.path, self.delimiter).header())
        return Signature({name: InputSignature((len(columns),)) for name, columns in features.items()}, tuple(targets))

    def read(self, folder: Path) -> Table:
        main = _File(folder / self.path, self.delimiter)
        own = {"validation": self.validation_path, "test": self.test_path}
        others = {name: _File(folder / path, self.delimiter) for name, path in own.items() if path is not None}
        features, targets = self._choose(main.header())
        # Headers of all files first: a wrong name in the small file should not wait for the large one.
        for file in others.values():
            file.positions(_each([*features.values(), *targets.values()]))
        total = digest([main.path, *(file.path for file in others.values())])
        parts = {name: self._read(file, features, targets, total, {}) for name, file in others.items()}
        return self._read(main, features, targets, total, parts)

    def reading(self, file: Path, learned: Mapping[str, Any], with_target: bool) -> Self:
        update = {
            "path": str(file),
            "features": learned["features"],
            "target": self.target if with_target else None,
            "split": SplitSpec(),
            "validation_path": None,
            "test_path": None,
        }
        return self.model_copy(update=update)

    def _choose(self, file: _Header) -> tuple[dict[str, list[str]], dict[str, list[str]]]:
        """The columns of every input and of every target, after checking that they exist."""
        targets = {
            name: file.matching([columns] if isinstance(columns, str) else columns)
            for name, columns in self._targets.items()
        }
        if self._features is not None:
            return {name: file.matching(columns) for name, columns in self._features.items()}, targets
        if "" in file.names:
            raise DataError(
                f"{file.path}: column {file.names.index('') + 1} has no name",
                hint="name it in the header, or list the wanted columns under `features`",
            )
        taken = set(_each(targets.values()))
        features = [name for name in file.names if name not in taken]
        if not features:
            raise DataError(f"{file.path}: no columns are left as features beside the target")
        return {INPUT: features}, targets

    def _read(
        self,
        file: _File,
        features: dict[str, list[str]],
        targets: dict[str, list[str]],
        total: str,
        parts: dict[str, Table],
    ) -> Table:
        inputs, outputs = _each(features.values()), _each(targets.values())
        values, texts, origin = file.read(inputs, outputs)
        places = {name: place for place, name in enumerate(inputs)}
        cells = dict(zip(outputs, texts, strict=True))
        return Table(
            inputs={
                name: InputArray(
                    values if columns == inputs else values[:, [places[column] for column in columns]],
                    origin,
                    tuple(columns),
                )
                for name, columns in features.items()
            },
            targets={
                name: TargetArray(
                    self._target(name, [cells[column] for column in columns], columns, origin),
                    origin,
                    tuple(columns),
                    named=True,
                )
                for name, columns in targets.items()
            },
            digest=total,
            parts=parts,
            learned={"features": features},
        )

    def _target(self, name: str, texts: list[list[str]], columns: list[str], origin: Origin) -> np.ndarray:
        """One column as numbers or text, `(rows,)`; several as numbers, `(rows, columns)`."""
        if isinstance(self._targets[name], str) and len(columns) == 1:
            return _numbers_or_text(texts[0], origin, columns[0])
        numbers = [_numbers(text, origin, column) for text, column in zip(texts, columns, strict=True)]
        return np.stack(numbers, axis=1)


def _each(lists: Iterable[Sequence[str]]) -> list[str]:
    """Every name once, in order."""
    return list(dict.fromkeys(name for names in lists for name in names))


class _Header(NamedTuple):
    path: Path
    names: list[str]

    def matching(self, wanted: Sequence[str]) -> list[str]:
        """The wanted columns, patterns replaced by the names that match. Raises DataError if one is missing."""
        found: list[str] = []
        for name in wanted:
            pattern = name not in self.names and any(character in name for character in "*?[")
            matching = [each for each in self.names if fnmatchcase(each, name)] if pattern else [name]
            if not matching:
                raise DataError(f"{self.path}: no column matches `{name}`", hint=nearest(name, self.names, "columns"))
            found.extend(each for each in matching if each not in found)
        self.positions(found)
        return found

    def positions(self, wanted: Sequence[str]) -> list[int]:
        """Where the wanted columns stand in a row. Raises DataError if one is missing."""
        missing = [name for name in wanted if name not in self.names]
        if len(missing) == len(wanted) and all(map(_is_number, self.names)):
            raise _no_header(self.path)
        if missing:
            raise DataError(f"{self.path}: no column `{missing[0]}`", hint=nearest(missing[0], self.names, "columns"))
        places = {name: position for position, name in enumerate(self.names)}
        return [places[name] for name in wanted]


class _File(NamedTuple):
    """One delimited text file."""

    path: Path
    delimiter: str

    def header(self) -> _Header:
        with self._open() as (header, _):
            return header

    def positions(self, wanted: Sequence[str]) -> list[int]:
        return self.header().positions(wanted)

    def read(self, features: list[str], targets: list[str]) -> tuple[np.ndarray, list[list[str]], Origin]:
        """The features as (rows, columns) float64, the text of each target column, and the rows' line numbers."""
        values = np.empty((_ROWS_AT_ONCE, len(features)))
        texts: list[list[str]] = [[] for _ in targets]
        starts: list[int] = []
        with self._open() as (header, records):
            inputs = header.positions(features)
            outputs = header.positions(targets)
            while rows := list(islice(records, _ROWS_AT_ONCE)):
                before = len(starts)
                starts.extend(start for start, _ in rows)
                columns = list(zip(*(record for _, record in rows), strict=True))
                if len(starts) > len(values):
                    values.resize((2 * len(values), len(features)), refcheck=False)
                self._convert([columns[place] for place in inputs], features, starts[before:], values[before:])
                for text, place in zip(texts, outputs, strict=True):
                    text.extend(map(intern, columns[place]))
        if not starts:
            raise DataError(f"{self.path}: has a header but no rows")
        contiguous = starts[-1] - starts[0] == len(starts) - 1
        lines = None if contiguous else np.asarray(starts, np.int64)
        origin = Origin(str(self.path), "line", starts[0], lines)
        values.resize((len(starts), len(features)), refcheck=False)
        return values, texts, origin

    def _convert(self, columns: list[tuple[str, ...]], names: list[str], starts: list[int], values: np.ndarray) -> None:
        """Write the numbers of some rows to the head of `values`; look for the bad cell only if there is one."""
        try:
            for position, cells in enumerate(columns):
                values[: len(starts), position] = np.fromiter(map(float, cells), np.float64, len(cells))
            sound = bool(np.isfinite(values[: len(starts)]).all())
        except ValueError:
            sound = False
        # Python reads 1_000 as a number, no other program does.
        if not sound or any("_" in "".join(cells) for cells in columns):
            for row, start in enumerate(starts):
                for name, cells in zip(names, columns, strict=True):
                    _check_number(cells[row], f"{self.path}, line {start}", name, feature=True)

    @contextmanager
    def _open(self) -> Iterator[tuple[_Header, Iterator[tuple[int, list[str]]]]]:
        """The header, and the rows with the number of the line on which each begins."""
        try:
            with open_bytes(self.path) as raw:
                text = io.TextIOWrapper(raw, encoding="utf-8-sig", newline="")
                reader = csv.reader(_without_nul(text, self.path), delimiter=self.delimiter, strict=True)
                records = self._records(reader)
                first = next(records, None)
                if first is None:
                    raise DataError(f"{self.path}: is empty")
                yield self._checked_header(first[1]), self._even(records, len(first[1]))
        except UnicodeDecodeError:
            raise not_utf8(self.path) from None

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

    def _checked_header(self, cells: list[str]) -> _Header:
        names = [cell.strip() for cell in cells]
        for position, name in enumerate(names):
            if name and name in names[:position]:
                if all(map(_is_number, names)):
                    raise _no_header(self.path)
                raise DataError(f"{self.path}: the header names the column `{name}` twice")
        if len(names) == 1:
            for other in (",", ";", "\t", "|"):
                if other in names[0]:
                    raise DataError(
                        f"{self.path}: the header has one column, {shown(names[0])}",
                        hint=f"is the delimiter {other!r}? Set `delimiter`",
                    )
        return _Header(self.path, names)


def _no_header(path: Path) -> DataError:
    return DataError(
        f"{path}: the first line holds numbers, not the names of columns", hint="add a line with the columns' names"
    )


def _without_nul(lines: Iterator[str], path: Path) -> Iterator[str]:
    for number, line in enumerate(lines, start=1):
        if "\0" in line:
            raise DataError(f"{path}, line {number}: holds a NUL byte", hint="is it a text file in UTF-8?")
        yield line


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return "_" not in text


def _check_number(text: str, place: str, column: str, feature: bool) -> None:
    """Raise a DataError if a cell holds no finite number."""
    where = f"{place}, column `{column}`"
    if not text.strip():
        raise DataError(f"{where}: the cell is empty", hint="missing values are not filled in; fill or drop the row")
    if not _is_number(text):
        hint = "text cannot be a feature; list the numeric columns under `features`" if feature else None
        raise DataError(f"{where}: expected a number, found {shown(text)}", hint=hint)
    if not math.isfinite(float(text)):
        raise DataError(f"{where}: expected a finite number, found {shown(text)}")


def _numbers(texts: list[str], origin: Origin, column: str) -> np.ndarray:
    try:
        values = np.fromiter(map(float, texts), np.float64, len(texts))
        sound = bool(np.isfinite(values).all()) and not any("_" in text for text in texts)
    except ValueError:
        sound = False
    if not sound:
        for row, text in enumerate(texts):
            _check_number(text, origin.at(row), column, feature=False)
    return values


def _numbers_or_text(texts: list[str], origin: Origin, column: str) -> np.ndarray:
    """A target column: float64 if every cell is a number, else text. No cell may be empty."""
    for row, text in enumerate(texts):
        if not text.strip():
            _check_number(text, origin.at(row), column, feature=False)
    if all(_is_number(text) for text in set(texts)):
        return _numbers(texts, origin, column)
    return np.asarray([text.strip() for text in texts])
