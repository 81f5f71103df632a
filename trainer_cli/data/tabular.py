"""Files of rows and named columns in, whatever their format; a table of numbers, categories, tokens and targets out."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from itertools import chain
from pathlib import Path
from typing import Annotated, Any, ClassVar, NamedTuple, Protocol, Self

from pydantic import Field, model_validator

from trainer_cli.data.delimited import Header, Piece, booleans, codes, numbers_of, numbers_or_text
from trainer_cli.data.file_source import FileSource, Name, Names
from trainer_cli.data.files import STANDARD_INPUT, expand
from trainer_cli.data.raw_column import RawColumn
from trainer_cli.data.source import (
    INPUT,
    SAMPLE_WEIGHTS,
    TARGET,
    InputArray,
    InputSignature,
    Missing,
    Origin,
    Signature,
    SplitSpec,
    Table,
    TargetArray,
    Words,
    joined,
)
from trainer_cli.data.times import times
from trainer_cli.data.weighting import checked_weights
from trainer_cli.errors import ConfigError, DataError, Problem
from trainer_cli.lazy import np
from trainer_cli.parts.families import SOURCES, Refusal, SectionField, refusal

_KINDS = {
    **dict.fromkeys((".csv", ".tsv", ".tab"), "csv"),
    **dict.fromkeys((".parquet", ".pq"), "parquet"),
    **dict.fromkeys((".arrow", ".feather", ".ipc"), "arrow"),
}
"""What new data is, by the ending of its name: a model takes any of these, whichever it was trained on."""

_ROWS_LOOKED_AT = 1 << 16
"""Rows among which the signature counts categories; if there are more, the model is compiled again after reading."""


def table_kind(file: Path) -> str | None:
    """The type of source that reads a table by the ending of its name; None where that says nothing."""
    return _KINDS.get(Path(file.name.removesuffix(".gz")).suffix.lower())


class TableFile(Protocol):
    """One file of a table."""

    @property
    def path(self) -> Path: ...

    def header(self) -> Header: ...

    def pieces(
        self, numbers: list[str], texts: list[str], gaps: Collection[str], most: int | None = None
    ) -> Iterator[Piece]:
        """The wanted columns, `most` rows at a time (None: all at once). Raises DataError."""

    def distinct(self, columns: list[str], gaps: Collection[str], most: int) -> list[int]:
        """How many categories each column holds in the first `most` rows."""


class _Chosen(NamedTuple):
    """The columns of every input and of every target."""

    features: dict[str, list[str]]
    targets: dict[str, list[str]]


class TableSource(FileSource):
    """A source of rows with named columns.

    `target` names the column to predict, or several numeric ones; null for data without a target. `features` are the
    input columns in the model's order; null takes all but the target, in the file's order. Names may be patterns such
    as `pixel_*`. For a model with several inputs `features` is a mapping of their names to lists, and for one with
    several outputs `target` maps theirs to columns.

    Features are numbers unless `columns` says otherwise, by name or pattern: categories, booleans, dates or texts.
    """

    has_columns: ClassVar[bool] = True

    target: Name | Names | dict[Name, Name | Names] | None = Field(
        default=None,
        description="the column to predict, or a list of numeric ones; by output name if several",
    )
    features: Names | Annotated[dict[Name, Names], Field(min_length=1)] | None = Field(
        default=None,
        description="the input columns in the model's order, by input name if there are several; default: all but the "
        "target",
    )
    columns: dict[Name, Annotated[Any, SectionField("data.column_spec", "ColumnSpec")]] = Field(
        default_factory=dict, description="how feature columns are read that are not plain numbers, by name or pattern"
    )
    missing: Missing = Field(
        default="refuse",
        description="what becomes of missing values: an error; the column's mean or median (of categories: the most "
        "frequent one); zero; or indicator: the mean, and a number more that tells that it is missing",
    )

    sample_weight: Name | None = Field(
        default=None, description=f"{SAMPLE_WEIGHTS}; a column, which is then no feature"
    )

    @model_validator(mode="after")
    def _name_each_column_once(self) -> Self:
        for what, given in (("target", self._targets), ("features", self._features or {})):
            for names in given.values():
                for name in names if isinstance(names, list) else ():
                    if names.count(name) > 1:
                        message = f"the column `{name}` is named twice"
                        raise refusal([Refusal("column_named_twice", message, where=(what,))])
        targets = [names if isinstance(names, list) else [names] for names in self._targets.values()]
        if self.sample_weight in _each(targets):
            message = f"the target `{self.sample_weight}` cannot be the rows' weight"
            raise refusal([Refusal("target_is_weight", message, where=("sample_weight",))])
        if isinstance(self.target, str | list) and isinstance(self.features, list):
            for name in [self.target] if isinstance(self.target, str) else self.target:
                if name in self.features:
                    message = f"the target `{name}` is among the features as well"
                    raise refusal([Refusal("target_among_features", message, where=("features",))])
        return self

    @abstractmethod
    def _open(self, path: Path) -> TableFile:
        """One of the files."""

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

    def signature(self, folder: Path) -> Signature:
        first = self._open(expand(folder, self.path)[0])
        features, targets = self._choose(first.header())
        inputs = {}
        for name, columns in features.items():
            plans = self._plans(columns)
            learned = [
                plan.name
                for plan in plans
                if plan.kind == "categorical" and plan.categories is None and not plan.is_integer
            ]
            counts = first.distinct(learned, _with_gaps(plans), _ROWS_LOOKED_AT) if learned else ()
            seen = dict(zip(learned, counts, strict=True))
            widths = [plan.width(seen.get(plan.name, len(plan.categories or ()))) for plan in plans]
            inputs[name] = InputSignature((sum(widths),), "int32" if self._whole(plans) else "float32")
        return Signature(inputs, tuple(targets))

    def read(self, folder: Path) -> Table:
        paths, total = self._paths_by_part(folder)
        files, chosen = self._opened(paths)
        main = files.pop("train")
        undivided = self.model_copy(update={"split": SplitSpec()})
        parts = {name: undivided._read(part, chosen, total, {}) for name, part in files.items()}
        return self._read(main, chosen, total, parts)

    def _opened(self, paths: Mapping[str, Sequence[Path]]) -> tuple[dict[str, list[TableFile]], _Chosen]:
        """The files of every part and what is read of them; all of them have what is needed."""
        files = {name: [self._open(path) for path in each] for name, each in paths.items()}
        everything = [file for part in files.values() for file in part]
        chosen = self._choose(everything[0].header())
        # Headers of all files first: a wrong name in the small file should not wait for the large one.
        for file in everything[1:]:
            file.header().positions(_each([*chosen.features.values(), *chosen.targets.values(), self._weights]))
        # Files of their own are no part of what is split.
        for file in files["train"]:
            file.header().positions(self._split_columns)
        return files, chosen

    def blocks(self, most: int) -> Iterator[Table]:
        files = [self._open(path) for path in expand(Path(), self.path)]
        return self._in_blocks(files, _Chosen(dict(self._features or {}), {}), most)

    def part_blocks(self, folder: Path, part: str, most: int) -> Iterator[Table]:
        files, chosen = self._opened(self.files(folder))
        source = self if part == "train" else self.model_copy(update={"split": SplitSpec()})
        return source._in_blocks(files[part], chosen, most)

    def _in_blocks(self, files: Iterable[TableFile], chosen: _Chosen, most: int) -> Iterator[Table]:
        wanted = self._wanted(chosen)
        for file in files:
            for piece in file.pieces(*wanted, most):
                yield self._table([piece], chosen, "", {})

    def _sibling(self, file: Path) -> TableSource:
        """The source that reads a table by the ending of its name; this one where that says nothing."""
        kind = "csv" if file == STANDARD_INPUT else table_kind(file) or self.type
        if kind == self.type:
            return self
        shared = {name: getattr(self, name) for name in TableSource.model_fields if name != "path"}
        found = SOURCES.find(kind).model_validate({**shared, "path": str(file)})
        assert isinstance(found, TableSource)
        return found

    def reading(self, file: Path, learned: Mapping[str, Any], with_target: bool) -> TableSource:
        other = self._sibling(file)
        if other is not self:
            return other.reading(file, learned, with_target)
        return super().reading(file, learned, with_target).model_copy(update={"features": learned["features"]})

    def _is_weighted(self, file: Path) -> bool:
        return self.weighted and self.sample_weight in self._open(file).header().names

    @property
    def _weights(self) -> list[str]:
        """The columns that say how much rows count, one or none."""
        return [] if self.sample_weight is None else [self.sample_weight]

    @property
    def _split_columns(self) -> list[str]:
        """The columns that decide which rows are held out; they are features only where they are named as such."""
        return [] if self.split.column is None else [self.split.column]

    def _plans(self, names: Sequence[str]) -> list[RawColumn]:
        """How each of these features is read."""
        return [self._plan(name) for name in names]

    def _plan(self, name: str) -> RawColumn:
        spec = self.columns.get(name)
        if spec is None:
            spec = next((each for pattern, each in self.columns.items() if fnmatchcase(name, pattern)), None)
        if spec is None:
            return RawColumn(name, missing=self.missing, scaling=self.scaling)
        options = spec.options()
        if spec.scaling is None:
            scaled = spec.kind == "numeric" or (spec.kind == "date" and self.scaling != "unit")
            options["scaling"] = self.scaling if scaled else "none"
        options["missing"] = "refuse" if spec.kind == "text" else spec.missing or self.missing
        if spec.missing is None and (
            (options["missing"] == "indicator" and spec.encoding == "integer")
            or (options["missing"] != "refuse" and spec.encoding == "hashing")
        ):
            options["missing"] = "zero"  # which has the number of its own that an indicator is elsewhere
        return RawColumn(name, **options)

    def _whole(self, plans: Sequence[RawColumn]) -> bool:
        """Whether an input of these columns is of whole numbers. Raises ConfigError if only some of them are."""
        whole = [plan for plan in plans if plan.is_integer or plan.kind == "text"]
        if whole and (len(whole) < len(plans) or (whole[0].kind == "text" and len(plans) > 1)):
            what = "a text" if whole[0].kind == "text" else "a category read as an integer"
            message = f"the column `{whole[0].name}` is {what}, and shares an input with others"
            hint = f"give it one of its own: `features: {{{whole[0].name}: [{whole[0].name}], …}}`"
            raise ConfigError([Problem(message, ("data", "features" if self.features else "columns"), hint)])
        return bool(whole)

    def _choose(self, file: Header) -> _Chosen:
        """The columns of every input and of every target, after checking that they exist."""
        targets = {
            name: file.matching([columns] if isinstance(columns, str) else columns)
            for name, columns in self._targets.items()
        }
        file.positions(self._weights)
        if self._features is not None:
            return _Chosen({name: file.matching(columns) for name, columns in self._features.items()}, targets)
        if "" in file.names:
            raise DataError(
                f"{file.path}: column {file.names.index('') + 1} has no name",
                hint="name it in the header, or list the wanted columns under `features`",
            )
        taken = set(_each([*targets.values(), self._split_columns, self._weights]))
        features = [name for name in file.names if name not in taken]
        if not features:
            raise DataError(f"{file.path}: no columns are left as features beside the target")
        return _Chosen({INPUT: features}, targets)

    def _wanted(self, chosen: _Chosen) -> tuple[list[str], list[str], set[str]]:
        """The columns to read as numbers, those to read as text, and those that may have gaps."""
        plans = self._plans(_each(chosen.features.values()))
        others = [plan.name for plan in plans if plan.kind != "numeric"]
        texts = _each([others, *chosen.targets.values(), self._split_columns, self._weights])
        return [plan.name for plan in plans if plan.kind == "numeric"], texts, _with_gaps(plans)

    def _read(self, files: Sequence[TableFile], chosen: _Chosen, total: str, parts: dict[str, Table]) -> Table:
        wanted = self._wanted(chosen)
        return self._table([piece for file in files for piece in file.pieces(*wanted)], chosen, total, parts)

    def _table(self, pieces: Sequence[Piece], chosen: _Chosen, total: str, parts: dict[str, Table]) -> Table:
        plain, as_text, gaps = self._wanted(chosen)
        plans = {plan.name: plan for plan in self._plans(_each(chosen.features.values()))}
        origin = joined([(len(piece.values), piece.origin) for piece in pieces])
        values = pieces[0].values if len(pieces) == 1 else np.concatenate([piece.values for piece in pieces])
        cells = {
            name: list(chain.from_iterable(piece.texts[place] for piece in pieces))
            for place, name in enumerate(as_text)
        }
        numbers = {name: values[:, place] for place, name in enumerate(plain)}
        for name, plan in plans.items():
            if plan.kind == "boolean":
                numbers[name] = booleans(cells[name], origin, name, name in gaps)
            elif plan.kind == "date":
                numbers[name] = times(cells[name], origin, name, plan.format, name in gaps)
            elif plan.kind == "categorical":
                numbers[name], words = codes(cells[name], origin, name, name in gaps)
                plans[name] = plan._replace(words=words)
        return Table(
            inputs={
                name: self._input([plans[column] for column in columns], numbers, cells, values, origin)
                for name, columns in chosen.features.items()
            },
            targets={
                name: TargetArray(
                    self._target(name, [cells[column] for column in columns], columns, origin),
                    origin,
                    tuple(columns),
                    named=True,
                )
                for name, columns in chosen.targets.items()
            },
            digest=total,
            parts=parts,
            learned={"features": chosen.features},
            split_by=next((cells[name] for name in self._split_columns), None),
            sample_weights=next(
                (
                    checked_weights(numbers_of(cells[name], origin, name), origin, name, whole=bool(total))
                    for name in self._weights
                ),
                None,
            ),
        )

    def _input(
        self,
        plans: Sequence[RawColumn],
        numbers: Mapping[str, np.ndarray],
        cells: Mapping[str, list[str]],
        values: np.ndarray,
        origin: Origin,
    ) -> InputArray:
        """Plain numbers, scaled all alike, as they are; other columns with what is needed to encode each."""
        names = tuple(plan.name for plan in plans)
        if self._whole(plans) and plans[0].kind == "text":
            return _tokens(plans[0], cells[names[0]], origin)
        if all(plan.is_plain(self.scaling) for plan in plans):
            whole = names == tuple(numbers)
            return InputArray(values if whole else np.stack([numbers[name] for name in names], axis=1), origin, names)
        matrix = np.stack([numbers[name] for name in names], axis=1)
        return InputArray(matrix, origin, names, columns=tuple(plans))

    def _target(self, name: str, texts: list[list[str]], columns: list[str], origin: Origin) -> np.ndarray:
        """One column as numbers or text, `(rows,)`; several as numbers, `(rows, columns)`."""
        if isinstance(self._targets[name], str) and len(columns) == 1:
            return numbers_or_text(texts[0], origin, columns[0])
        numbers = [numbers_of(text, origin, column) for text, column in zip(texts, columns, strict=True)]
        return np.stack(numbers, axis=1)


def _with_gaps(plans: Iterable[RawColumn]) -> set[str]:
    return {plan.name for plan in plans if plan.missing != "refuse"}


def _tokens(plan: RawColumn, texts: Sequence[str], origin: Origin) -> InputArray:
    """A column of texts as padded rows of tokens."""
    from trainer_cli.data.records import Column, Layout, SequenceSpec

    sequence = SequenceSpec(length=plan.length, padding="post", truncating="post")
    column = Column([plan.name], Layout("tokens", (plan.length,)), sequence, plan.unit == "character")
    for row, text in enumerate(texts):
        column.add({plan.name: text}, origin.at(row))
    words = Words(list(column.names), plan.vocabulary_size, plan.vocabulary)
    return InputArray(column.array(), origin, (plan.name,), whole=True, words=words)


def _each(lists: Iterable[Sequence[str]]) -> list[str]:
    """Every name once, in order."""
    return list(dict.fromkeys(name for names in lists for name in names))
