"""A text file with a JSON object per line in, a table of numbers, padded sequences or tokens with their targets out."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, Self, TypeAlias

from pydantic import Field, model_validator

from trainer_cli.data.file_source import Name, Names, TokenSource
from trainer_cli.data.files import expand, nearest, not_utf8, open_bytes, shown
from trainer_cli.data.records import Column, Layout, SequenceSpec, layout_of
from trainer_cli.data.room import Room
from trainer_cli.data.source import (
    INPUT,
    SAMPLE_WEIGHTS,
    TARGET,
    InputArray,
    InputSignature,
    Origin,
    Signature,
    SplitSpec,
    Table,
    TargetArray,
    Words,
    joined,
)
from trainer_cli.data.weighting import checked_weights
from trainer_cli.errors import DataError
from trainer_cli.lazy import np
from trainer_cli.parts.families import Refusal, refusal

ALIASES = ("jsonl", "ndjson")

_LONGEST_LINE = 1 << 24
"""Of a row: as objects it takes up to twenty times this."""
_HALF_LETTER = re.compile(r"(?<!\\)(?:\\\\)*\\ud[89a-f]")
_ROWS_LOOKED_AT = 1000
"""Rows among which the signature looks for one whose list is not empty."""

_Row: TypeAlias = tuple[str, dict[str, Any]]
"""A row with its place, `days.jsonl, line 12`."""


class JsonLines(TokenSource):
    """A JSON object per line; gzipped if the name ends in `.gz`. Blank lines are passed over, other keys ignored.

    `input` names the key of the input: a number, or nested lists of numbers of one shape in all rows; or several keys
    with a number each. With `sequence`, lists may be of any length: of numbers (tokens or measurements), of lists of
    numbers (a vector per step), or of texts. Texts are tokens; a text that is not in a list is taken apart by `unit`.
    Token 0 is padding and token 1 whatever the vocabulary lacks; the others are those of the training rows, the most
    frequent first, and as many as `vocabulary_size` leaves room for.

    `target` names the key to predict: a number, a class as text or number, or a list of numbers. For a model with
    several inputs or outputs `input` and `target` are mappings of their names to keys.
    """

    has_columns: ClassVar[bool] = True

    input: Name | Names | Annotated[dict[Name, Name | Names], Field(min_length=1)] = Field(
        description="the key of the input, or several with a number each; by input name if there are several inputs"
    )
    target: Name | dict[Name, Name] | None = Field(
        default=None, description="the key to predict; by output name if there are several; null: nothing"
    )
    sample_weight: Name | None = Field(default=None, description=f"{SAMPLE_WEIGHTS}; the key of a number")
    sequence: SequenceSpec | None = Field(default=None, description="how lists become rows of one length")
    pad_target: bool = Field(
        default=False, description="whether targets are lists of any length as well, padded like the input"
    )
    unit: Literal["word", "character"] = Field(default="word", description="what a text is taken apart into")

    @model_validator(mode="after")
    def _fit_together(self) -> Self:
        if self.sequence is not None and self.scaling != "none":
            message = "padded sequences are not scaled: the padding would change its value"
            raise refusal([Refusal("sequence_scaled", message, "leave `scaling` out", ("scaling",))])
        if self.pad_target and self.sequence is None:
            raise refusal([Refusal("sequence_missing", "`pad_target` needs `sequence`", where=("pad_target",))])
        return self

    @property
    def _inputs(self) -> dict[str, list[str]]:
        given = self.input if isinstance(self.input, dict) else {INPUT: self.input}
        return {name: [keys] if isinstance(keys, str) else keys for name, keys in given.items()}

    @property
    def _targets(self) -> dict[str, str]:
        if self.target is None:
            return {}
        return self.target if isinstance(self.target, dict) else {TARGET: self.target}

    @property
    def _keys(self) -> list[str]:
        """All keys that a row must have."""
        weights = [] if self.sample_weight is None else [self.sample_weight]
        return [*(key for keys in self._inputs.values() for key in keys), *self._targets.values(), *weights]

    def signature(self, folder: Path) -> Signature:
        first = expand(folder, self.path)[0]
        layouts = self._layouts(first, records_of(first))
        inputs = {
            name: InputSignature(layout.shape, "int32" if layout.kind == "tokens" else "float32")
            for name, layout in layouts.items()
        }
        return Signature(inputs, tuple(self._targets))

    def read(self, folder: Path) -> Table:
        files, total = self._paths_by_part(folder)
        first = files["train"][0]
        layouts = self._layouts(first, records_of(first))
        undivided = self.model_copy(update={"split": SplitSpec()})
        parts = {name: undivided._table(_each(files[name]), layouts, total, {}) for name in self.own_parts}
        return self._table(_each(files["train"]), layouts, total, parts)

    def blocks(self, most: int) -> Iterator[Table]:
        return self._in_blocks(expand(Path(), self.path), None, most)

    def part_blocks(self, folder: Path, part: str, most: int) -> Iterator[Table]:
        files = self.files(folder)
        first = files["train"][0]
        source = self if part == "train" else self.model_copy(update={"split": SplitSpec()})
        return source._in_blocks(files[part], self._layouts(first, records_of(first)), most)

    def _in_blocks(self, paths: Sequence[Path], layouts: dict[str, Layout] | None, most: int) -> Iterator[Table]:
        """The rows of files; inputs look as in the first block where no layouts are given."""
        for path in paths:
            rows = records_of(path)
            while block := list(islice(rows, most)):
                layouts = layouts or self._layouts(path, block)
                yield self._table([(path, block)], layouts, "", {})
        if layouts is None:
            raise DataError(f"{paths[0]}: holds no rows")

    def _is_weighted(self, file: Path) -> bool:
        return self.weighted and any(self.sample_weight in record for _, record in islice(records_of(file), 1))

    def _layouts(self, path: Path, rows: Iterable[_Row]) -> dict[str, Layout]:
        """How each input looks, from the first row that shows it; its keys must be there."""
        wanted, found = self._inputs, {}
        first = None
        for where, record in islice(rows, _ROWS_LOOKED_AT):
            first = first or where
            for key in self._keys:
                if key not in record:
                    raise DataError(f"{where}: there is no key `{key}`", hint=nearest(key, list(record), "keys"))
            for name, keys in wanted.items():
                if name not in found:
                    layout = layout_of([record[key] for key in keys], keys, self.sequence, where)
                    if layout is not None:
                        found[name] = layout
            if len(found) == len(wanted):
                return found
        if first is None:
            raise DataError(f"{path}: holds no rows")
        missing = next(key for name, (key, *_) in wanted.items() if name not in found)
        raise DataError(f"{path}, key `{missing}`: the lists of the first {_ROWS_LOOKED_AT} rows are all empty")

    def _table(
        self,
        files: Iterable[tuple[Path, Iterable[_Row]]],
        layouts: dict[str, Layout],
        total: str,
        parts: dict[str, Table],
    ) -> Table:
        columns = {
            name: Column(keys, layouts[name], self.sequence, self.unit == "character")
            for name, keys in self._inputs.items()
        }
        targets: dict[str, list[Any]] = {name: [] for name in self._targets}
        split_by: list[str] = []
        weights = None
        if self.sample_weight is not None:
            weights = Column([self.sample_weight], Layout("numbers", (1,)), None, False)
        origins = []
        for path, rows in files:
            lines: list[int] = []
            room = Room(str(path))
            for where, record in rows:
                room.check(len(lines))
                lines.append(int(where.rpartition(" ")[2]))
                for column in columns.values():
                    column.add(record, where)
                for name, key in self._targets.items():
                    if key not in record:
                        raise DataError(f"{where}: there is no key `{key}`")
                    targets[name].append(record[key])
                if self.split.column is not None:
                    split_by.append(self._split_text(record, where))
                if weights is not None:
                    weights.add(record, where)
            if not lines:
                raise DataError(f"{path}: holds no rows")
            origins.append((len(lines), Origin(str(path), "line", lines=np.asarray(lines, np.int64))))
        origin = joined(origins)
        return Table(
            inputs={name: self._input(column, origin) for name, column in columns.items()},
            targets={
                name: TargetArray(self._target(key, targets[name], origin), origin, (key,))
                for name, key in self._targets.items()
            },
            digest=total,
            parts=parts,
            split_by=split_by or None,
            sample_weights=None
            if weights is None
            else checked_weights(weights.array()[:, 0], origin, weights.keys[0], whole=bool(total)),
        )

    def _split_text(self, record: dict[str, Any], where: str) -> str:
        """What the key that the split goes by has in a row."""
        key = self.split.column
        if key not in record:
            raise DataError(f"{where}: there is no key `{key}`, by which `split` goes")
        if isinstance(record[key], list | dict) or record[key] is None:
            raise DataError(f"{where}, key `{key}`: expected a text or a number, found {shown(record[key])}")
        return str(record[key])

    def _input(self, column: Column, origin: Origin) -> InputArray:
        if column.layout.kind != "tokens":
            named = tuple(column.keys) if column.layout == ("numbers", (len(column.keys),)) else None
            return InputArray(column.array(), origin, named)
        vocabulary = None if self.vocabulary is None else tuple(self.vocabulary)
        words = Words(list(column.names), self.vocabulary_size, vocabulary)
        return InputArray(column.array(), origin, whole=True, words=words)

    def _target(self, key: str, values: list[Any], origin: Origin) -> np.ndarray:
        """Text, or numbers in the shape of the first row's."""
        if isinstance(values[0], str):
            for row, value in enumerate(values):
                if not isinstance(value, str) or not value.strip():
                    raise DataError(f"{origin.at(row)}, key `{key}`: expected a class as text, found {shown(value)}")
            return np.asarray([value.strip() for value in values])
        sequence = self.sequence if self.pad_target else None
        seen = (
            layout_of([value], [key], sequence, origin.at(row))
            for row, value in enumerate(values)
            if not _is_text(value)
        )
        layout = next((layout for layout in seen if layout is not None), None)
        if layout is None:
            raise DataError(f"{origin.at(0)}, key `{key}`: expected a number or a class, found {shown(values[0])}")
        column = Column([key], layout, sequence, False)
        for row, value in enumerate(values):
            column.add({key: value}, origin.at(row))
        return column.array()


def _each(paths: Iterable[Path]) -> Iterator[tuple[Path, Iterable[_Row]]]:
    return ((path, records_of(path)) for path in paths)


def records_of(path: Path) -> Iterator[_Row]:
    """Every row. Raises DataError."""
    with open_bytes(path) as file:
        number = 0
        while line := file.readline(_LONGEST_LINE + 1):
            number += 1
            where = f"{path}, line {number}"
            if len(line) > _LONGEST_LINE:
                raise DataError(f"{where}: is longer than {_LONGEST_LINE >> 20} MiB")
            try:
                text = line.decode("utf-8-sig" if number == 1 else "utf-8")
            except UnicodeDecodeError:
                raise not_utf8(path) from None
            if not text.strip():
                continue
            try:
                record = json.loads(text.rstrip(), parse_constant=_refuse_constant)
            except json.JSONDecodeError as error:
                hint = "every line must be a JSON object of its own"
                raise DataError(f"{where}, column {error.colno}: is no JSON: {error.msg}", hint=hint) from None
            except (ValueError, RecursionError) as error:
                words = "is nested too deeply" if isinstance(error, RecursionError) else str(error)
                raise DataError(f"{where}: {words}") from None
            # Escapes may spell half a letter, which no output could hold.
            if "\\u" in text and _HALF_LETTER.search(repr(record)):
                raise DataError(f"{where}: holds `\\u` escapes of half a letter, which are no text")
            if not isinstance(record, dict):
                raise DataError(f'{where}: expected an object such as {{"key": 1}}, found {shown(record)}')
            yield where, record


def _is_text(value: Any) -> bool:
    return isinstance(value, str) or (isinstance(value, list) and any(isinstance(item, str) for item in value))


def _refuse_constant(name: str) -> float:
    raise ValueError(f"expected a finite number, found {shown(name)}")
