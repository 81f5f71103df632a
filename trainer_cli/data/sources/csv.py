"""A text file with a header and one row per line in, a table of numbers and its target columns out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from fnmatch import fnmatchcase
from itertools import chain
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import Field, model_validator

from trainer_cli.data.columns import ColumnSpec, RawColumn
from trainer_cli.data.delimited import DelimitedFile, Header, booleans, codes, numbers_of, numbers_or_text
from trainer_cli.data.file_source import FileSource, Name, Names
from trainer_cli.data.files import expand
from trainer_cli.data.source import (
    INPUT,
    TARGET,
    InputArray,
    InputSignature,
    Missing,
    Origin,
    Signature,
    SplitSpec,
    Table,
    TargetArray,
    joined,
)
from trainer_cli.data.times import split_numbers
from trainer_cli.errors import DataError
from trainer_cli.lazy import np
from trainer_cli.parts.families import Refusal, refusal

_TABBED = (".tsv", ".tab")
_ROWS_LOOKED_AT = 1 << 16
"""Rows among which the signature counts categories; if there are more, the model is compiled again after reading."""


class Csv(FileSource):
    """Comma-separated values (or tabs, semicolons, …) with a header; gzipped if the name ends in `.gz`.

    `target` names the column to predict, or several numeric ones; null for data without a target. `features` are the
    input columns in the model's order; null takes all but the target, in the file's order. Names may be patterns such
    as `pixel_*`. For a model with several inputs `features` is a mapping of their names to lists, and for one with
    several outputs `target` maps theirs to columns. `validation_path` and `test_path` name files of their own for
    these parts.

    Features are numbers unless `columns` says otherwise, by name or pattern: a categorical column becomes one number
    per category, 1 for the row's own and 0 for the others; a boolean one is 1 for true, yes, t, y and 1. `missing` says
    what becomes of cells that are empty or hold `?`, `NA`, `N/A`, `NaN` or `null`. Categories, means and ranges are
    those of the training rows.
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
    columns: dict[Name, ColumnSpec] = Field(
        default_factory=dict, description="how feature columns are read that are not plain numbers, by name or pattern"
    )
    missing: Missing = Field(
        default="refuse",
        description="what becomes of missing values: an error; the column's mean or median (of categories: the most "
        "frequent one); zero; or indicator: the mean, and a number more that tells that it is missing",
    )
    delimiter: Literal[",", ";", "\t", "|", " "] | None = Field(
        default=None, description="what separates the cells of a row; default: a tab in `.tsv` files, else a comma"
    )

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

    def signature(self, folder: Path) -> Signature:
        first = self._opened(expand(folder, self.path))[0]
        features, targets = self._choose(first.header())
        inputs = {}
        for name, columns in features.items():
            plans = self._plans(columns)
            learned = [plan.name for plan in plans if plan.kind == "categorical" and plan.categories is None]
            gaps = {plan.name for plan in plans if plan.missing != "refuse"}
            counts = first.distinct(learned, gaps, _ROWS_LOOKED_AT) if learned else ()
            seen = dict(zip(learned, counts, strict=True))
            widths = [plan.width(seen.get(plan.name, len(plan.categories or ()))) for plan in plans]
            inputs[name] = InputSignature((sum(widths),))
        return Signature(inputs, tuple(targets))

    def read(self, folder: Path) -> Table:
        paths, total = self._paths_by_part(folder)
        files = {name: self._opened(each) for name, each in paths.items()}
        everything = [file for part in files.values() for file in part]
        features, targets = self._choose(everything[0].header())
        # Headers of all files first: a wrong name in the small file should not wait for the large one.
        for file in everything[1:]:
            file.positions(_each([*features.values(), *targets.values()]))
        # Files of their own are no part of what is split.
        for file in files["train"]:
            file.positions(self._split_columns)
        main = files.pop("train")
        parts = {
            name: self.model_copy(update={"split": SplitSpec()})._read(part, features, targets, total, {})
            for name, part in files.items()
        }
        return self._read(main, features, targets, total, parts)

    def reading(self, file: Path, learned: Mapping[str, Any], with_target: bool) -> Self:
        return super().reading(file, learned, with_target).model_copy(update={"features": learned["features"]})

    def _opened(self, paths: Sequence[Path]) -> list[DelimitedFile]:
        return [
            DelimitedFile(path, self.delimiter or ("\t" if path.name.removesuffix(".gz").endswith(_TABBED) else ","))
            for path in paths
        ]

    @property
    def _split_columns(self) -> list[str]:
        """The columns that decide which rows are held out; they are features only where they are named as such."""
        return [] if self.split.column is None else [self.split.column]

    def _plans(self, names: Sequence[str]) -> list[RawColumn]:
        """How each of these features is read."""
        plans = []
        for name in names:
            spec = self.columns.get(name)
            if spec is None:
                spec = next((each for pattern, each in self.columns.items() if fnmatchcase(name, pattern)), None)
            plans.append(self._plan(name, spec or ColumnSpec()))
        return plans

    def _plan(self, name: str, spec: ColumnSpec) -> RawColumn:
        scaling = spec.scaling or (self.scaling if spec.kind == "numeric" else "none")
        categories = None if spec.categories is None else tuple(spec.categories)
        return RawColumn(name, spec.kind, spec.missing or self.missing, scaling, spec.unseen, categories)

    def _choose(self, file: Header) -> tuple[dict[str, list[str]], dict[str, list[str]]]:
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
        taken = set(_each([*targets.values(), self._split_columns]))
        features = [name for name in file.names if name not in taken]
        if not features:
            raise DataError(f"{file.path}: no columns are left as features beside the target")
        return {INPUT: features}, targets

    def _read(
        self,
        files: Sequence[DelimitedFile],
        features: dict[str, list[str]],
        targets: dict[str, list[str]],
        total: str,
        parts: dict[str, Table],
    ) -> Table:
        outputs = _each(targets.values())
        plans = {plan.name: plan for plan in self._plans(_each(features.values()))}
        plain = [name for name, plan in plans.items() if plan.kind == "numeric"]
        others = [name for name, plan in plans.items() if plan.kind != "numeric"]
        as_text = _each([others, outputs, self._split_columns])
        gaps = {name for name, plan in plans.items() if plan.missing != "refuse"}
        read = [file.read(plain, as_text, gaps) for file in files]
        origin = joined([(len(values), origin) for values, _, origin in read])
        values = read[0][0] if len(read) == 1 else np.concatenate([values for values, _, _ in read])
        cells = {
            name: list(chain.from_iterable(texts[place] for _, texts, _ in read)) for place, name in enumerate(as_text)
        }
        numbers = {name: values[:, place] for place, name in enumerate(plain)}
        for name, plan in plans.items():
            if plan.kind == "boolean":
                numbers[name] = booleans(cells[name], origin, name, plan.missing != "refuse")
            elif plan.kind == "categorical":
                numbers[name], words = codes(cells[name], origin, name, plan.missing != "refuse")
                plans[name] = plan._replace(words=words)
        return Table(
            inputs={
                name: self._input([plans[column] for column in columns], numbers, values, origin)
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
            split_by=next((split_numbers(self.split, cells[name], origin) for name in self._split_columns), None),
        )

    def _input(
        self, plans: Sequence[RawColumn], numbers: Mapping[str, np.ndarray], values: np.ndarray, origin: Origin
    ) -> InputArray:
        """Plain numbers, scaled all alike, as they are; other columns with what is needed to encode each."""
        names = tuple(plan.name for plan in plans)
        if all((plan.kind, plan.missing, plan.scaling) == ("numeric", "refuse", self.scaling) for plan in plans):
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


def _each(lists: Iterable[Sequence[str]]) -> list[str]:
    """Every name once, in order."""
    return list(dict.fromkeys(name for names in lists for name in names))
