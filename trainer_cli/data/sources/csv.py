"""A text file with a header and one row per line in, a table of numbers and its target columns out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import Field, model_validator

from trainer_cli.data.delimited import DelimitedFile, Header, numbers_of, numbers_or_text
from trainer_cli.data.files import digest
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
        features, targets = self._choose(DelimitedFile(folder / self.path, self.delimiter).header())
        return Signature({name: InputSignature((len(columns),)) for name, columns in features.items()}, tuple(targets))

    def read(self, folder: Path) -> Table:
        main = DelimitedFile(folder / self.path, self.delimiter)
        own = {"validation": self.validation_path, "test": self.test_path}
        others = {name: DelimitedFile(folder / path, self.delimiter) for name, path in own.items() if path is not None}
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
        taken = set(_each(targets.values()))
        features = [name for name in file.names if name not in taken]
        if not features:
            raise DataError(f"{file.path}: no columns are left as features beside the target")
        return {INPUT: features}, targets

    def _read(
        self,
        file: DelimitedFile,
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
            return numbers_or_text(texts[0], origin, columns[0])
        numbers = [numbers_of(text, origin, column) for text, column in zip(texts, columns, strict=True)]
        return np.stack(numbers, axis=1)


def _each(lists: Iterable[Sequence[str]]) -> list[str]:
    """Every name once, in order."""
    return list(dict.fromkeys(name for names in lists for name in names))
