"""Raw target columns in, arrays in the form that a loss wants out; the class names are kept with it."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple, NoReturn

from trainer_cli.data.files import shown
from trainer_cli.data.source import TARGET, TargetArray
from trainer_cli.data.target_scaling import DOMAINS, TargetMode, TargetScaling, fit_target_scaling
from trainer_cli.errors import ConfigError, DataError, Problem
from trainer_cli.lazy import np
from trainer_cli.parts.loss import TargetForm

Class = str | int

_MOST_CLASSES = 1_000_000
"""A class number beyond this is an identifier in the wrong column, not a class."""


class TargetSpec(NamedTuple):
    """What a loss wants: the form of the target, and the shape of one row of the output without the batch axis.

    `ignored` is a class number that the loss leaves out, and which need not be one of the output's.
    """

    form: TargetForm
    shape: tuple[int, ...] | None = None
    ignored: int | None = None


@dataclass(frozen=True)
class TargetEncoding:
    """How targets are encoded: the loss's form, the target's columns, the shape of one output row, and the classes.

    Class `classes[k]` is the number k of `labels` and the column k of `one_hot`. There are none for `values`, for
    indicators given column by column, and for several binary targets. `numbered`: the data holds the classes' numbers,
    whatever their names are. `scaling`: how numbers become what is trained on. `ignored`: a class number that may
    stand for what is left out.
    """

    form: TargetForm
    columns: tuple[str, ...]
    shape: tuple[int, ...] | None
    classes: tuple[Class, ...] | None = None
    numbered: bool = False
    scaling: TargetScaling | None = None
    ignored: int | None = None

    def to_json(self) -> dict[str, Any]:
        return {
            "form": self.form,
            "columns": list(self.columns),
            "shape": None if self.shape is None else list(self.shape),
            "classes": None if self.classes is None else list(self.classes),
            "numbered": self.numbered,
            **({} if self.scaling is None else {"scaling": self.scaling.to_json()}),
            **({} if self.ignored is None else {"ignored": self.ignored}),
        }

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> TargetEncoding:
        shape, classes = value["shape"], value["classes"]
        return cls(
            value["form"],
            tuple(value["columns"]),
            None if shape is None else tuple(shape),
            None if classes is None else tuple(classes),
            value["numbered"],
            TargetScaling.from_json(value["scaling"]) if "scaling" in value else None,
            value.get("ignored"),
        )

    def apply(self, target: TargetArray) -> np.ndarray:
        """The targets of all rows. Raises DataError that names the first one that does not fit."""
        column = _Column(target)
        if self.form == "values" or self.classes is None:
            return self._numbers(column)
        numbers = self._class_numbers(column)
        if self.form == "labels":
            return np.ascontiguousarray(numbers, np.int32)
        if self.form == "binary":
            return numbers.astype(np.float32).reshape(len(numbers), *(self.shape or (1,)))
        result = np.zeros((*numbers.shape, self._units or len(self.classes)), np.float32)
        np.put_along_axis(result, numbers[..., np.newaxis], 1.0, axis=-1)
        return result

    @property
    def _units(self) -> int | None:
        """How many classes the output can tell apart, if known."""
        if self.form == "binary":
            return 2
        return self.shape[-1] if self.shape else None

    def _numbers(self, column: _Column) -> np.ndarray:
        values = column.numbers()
        given = values.shape[1:]
        shape = self.shape if self.shape is not None else (given or (1,))
        if math.prod(given) != math.prod(shape):
            raise DataError(
                f"{column.origin.file}: the target has {_values(given)} per row ({column.names}), "
                f"the output has {_values(shape)}"
            )
        if self.form == "binary":
            column.check((values == 0) | (values == 1), "expected 0 or 1", values)
        elif self.form == "one_hot":
            column.check((values >= 0) & (values <= 1), "expected a class indicator from 0 to 1", values)
        scaled = values
        if self.scaling is not None:
            check_domain(self.scaling.mode, column)
            scaled = self.scaling.apply(values.reshape(len(values), -1)).reshape(values.shape)
        with np.errstate(over="ignore"):
            result = np.ascontiguousarray(scaled, np.float32)
        column.check(np.isfinite(result), "expected a number that float32 can hold", values)
        return result.reshape(len(values), *shape)

    def _class_numbers(self, column: _Column) -> np.ndarray:
        assert self.classes is not None
        values = _without_last_axis(column.values, self.shape)
        if self.numbered or isinstance(self.classes[0], int):
            numbers = _integers(column, values)
            last = len(self.classes) - 1
            units = "there are" if self._units is None else f"the output has {self._units} units, that is"
            complaint = f"label out of range: {units} labels 0 to {last}"
            if self.form == "binary":
                complaint = "expected 0 or 1"
            fitting = (numbers >= 0) & (numbers <= last)
            if self.ignored is not None:
                fitting |= numbers == self.ignored
            column.check(fitting, complaint, values)
            return numbers
        places = {name: number for number, name in enumerate(self.classes)}
        texts, inverse = np.unique(_as_text(values), return_inverse=True)
        found = np.asarray([places.get(str(text), -1) for text in texts])
        numbers = found[inverse].reshape(values.shape)
        column.check(numbers >= 0, f"unknown class: expected one of {_listed(self.classes)}", values)
        return numbers


def fit_target(
    target: TargetArray, spec: TargetSpec, mode: TargetMode = "none", rows: np.ndarray | None = None
) -> TargetEncoding:
    """Choose the encoding from all rows of a target, and the scaling, where a `mode` asks for one, from `rows` of them.

    Whole numbers are class numbers already and stay what they are; text is numbered in sorted order, and −1 and 1 of a
    binary loss as text is.
    """
    form, shape, ignored = spec
    column = _Column(target)
    plain = TargetEncoding(form, target.columns, shape)
    if mode != "none":
        if form != "values":
            message = f"`target_scaling: {mode}` scales numbers, and the loss takes classes"
            raise ConfigError([Problem(message, ("data", "target_scaling"), "leave it out")])
        numbers = column.numbers()
        check_domain(mode, column)
        chosen = numbers if rows is None else numbers[rows]
        return replace(plain, scaling=fit_target_scaling(mode, chosen, target.origin.file))
    if form == "values" or column.is_columnwise(form, shape):
        return plain
    values = _without_last_axis(column.values, shape)
    classes: tuple[Class, ...]
    if target.classes is not None and form in ("labels", "one_hot"):
        units = shape[-1] if shape else len(target.classes)
        if units < len(target.classes):
            message = f"there are {len(target.classes)} classes, but the output has {units} units"
            raise DataError(f"{target.origin.file}: {message}", hint=f"give the last layer {len(target.classes)} units")
        return TargetEncoding(form, target.columns, shape, target.classes, numbered=True, ignored=ignored)
    if values.dtype.kind in "UO":
        texts = _as_text(values)
        names, counts = np.unique(texts, return_counts=True)
        classes = tuple(str(name) for name in names)
        units = 2 if form == "binary" else shape[-1] if shape else len(classes)
        if len(classes) > units:
            # The rarest class is the likeliest to be a slip of the pen.
            rarest = classes[len(counts) - 1 - int(np.argmin(counts[::-1]))]
            what = "a binary loss has 2 classes" if form == "binary" else f"the output has {units} units"
            complaint = f"label out of range: {what}, the column has {len(classes)}: {_listed(classes)}"
            column.check(texts != rarest, complaint, values)
    elif form == "binary":
        # Answers may also be written as −1 and 1, as losses of margins have them; these are names of the two classes.
        signs = bool((np.abs(values) == 1).all() and (values < 0).any())
        classes = ("-1", "1") if signs else (0, 1)
    elif shape:
        classes = tuple(range(shape[-1]))
    else:
        numbers = _integers(column, values)
        column.check((numbers >= 0) & (numbers < _MOST_CLASSES), "expected a class number from 0", values)
        classes = tuple(range(int(numbers.max()) + 1))
    return TargetEncoding(form, target.columns, shape, classes, ignored=ignored)


def check_targets(wanted: Iterable[str], given: Collection[str]) -> None:
    """Raise a ConfigError if the data lacks a target that a loss needs."""
    for name in wanted:
        if name in given:
            continue
        if name == TARGET and not given:
            message, hint = "the loss needs a target, and the data has none", "name it under `target`"
        elif name == TARGET:
            message = f"the model has one output, the data has the targets {', '.join(f'`{each}`' for each in given)}"
            hint = "give the one target by itself, without a name"
        else:
            message = f"the output `{name}` has a loss, and the data has no target for it"
            hint = f"name the targets by output: `target: {{{name}: …}}`"
        raise ConfigError([Problem(message, ("data",), hint=hint)])


class _Column:
    """A target with its rows' origin and its columns' names for messages."""

    def __init__(self, target: TargetArray) -> None:
        self.values = target.values
        self.origin = target.origin
        self._columns = target.columns
        self._named = target.named

    @property
    def names(self) -> str:
        return ", ".join(f"`{name}`" for name in self._columns)

    def is_columnwise(self, form: TargetForm, shape: tuple[int, ...] | None) -> bool:
        """Whether the file gives an indicator per class (or per binary output) rather than the class."""
        given = self.values.shape[1:]
        if form == "labels" or self.values.dtype.kind in "UO" or not given:
            return False
        return given == shape or (shape is None and given[-1] > 1) or (form == "binary" and math.prod(given) > 1)

    def numbers(self) -> np.ndarray:
        """The values, which must be numbers."""
        if self.values.dtype.kind in "UO":
            bad = np.asarray([not _is_number(text) for text in self.values.ravel()]).reshape(self.values.shape)
            self._fail(bad if bad.any() else ~bad, "expected a number", self.values)
        return self.values

    def check(self, good: np.ndarray, expected: str, values: np.ndarray) -> None:
        """Raise a DataError for the first place that is not good."""
        if not good.all():
            self._fail(~good, expected, values)

    def _fail(self, bad: np.ndarray, expected: str, values: np.ndarray) -> NoReturn:
        place = [int(index) for index in np.unravel_index(int(np.argmax(bad)), bad.shape)]
        value = values[tuple(place)]
        where = self.origin.at(place[0])
        if self._named:
            where += f", column `{self._columns[place[1] if len(place) > 1 and len(self._columns) > 1 else 0]}`"
        elif len(place) > 1:
            where += f", element {place[1:]}"
        shortest = f"{value:.15g}" if isinstance(value, np.floating) else value
        raise DataError(f"{where}: {expected}, found {shown(shortest)}")


def check_domain(mode: TargetMode, column: _Column) -> None:
    """Raise a DataError for the first number that has no logarithm where the mode takes one."""
    if mode in DOMAINS:
        column.check(column.values > (0.0 if mode == "log" else -1.0), DOMAINS[mode], column.values)


def _without_last_axis(values: np.ndarray, shape: tuple[int, ...] | None) -> np.ndarray:
    """`(rows, 1)` → `(rows,)` where the single number is the class itself."""
    axes = 1 if not shape else len(shape)
    if values.ndim > axes and values.shape[-1] == 1:
        return values[..., 0]
    return values


def _integers(column: _Column, values: np.ndarray) -> np.ndarray:
    if values.dtype.kind != "f":
        return column.numbers() if values.dtype.kind in "UO" else values.astype(np.int64)
    column.check(values == np.floor(values), "expected a class (a whole number or text)", values)
    # Numbers beyond int64 are out of every range, so clipping them changes no verdict.
    return np.clip(values, -(2.0**62), 2.0**62).astype(np.int64)


def _as_text(values: np.ndarray) -> np.ndarray:
    """Numbers become the text that a file of class names would hold: 3.0 is `3`."""
    if values.dtype.kind in "UO":
        return values
    return np.asarray([f"{value:.15g}" for value in values.ravel()]).reshape(values.shape)


def _is_number(text: str) -> bool:
    try:
        return math.isfinite(float(text))
    except ValueError:
        return False


def _listed(classes: Sequence[Class]) -> str:
    names = ", ".join(shown(name) for name in classes[:6])
    return f"{names}, …" if len(classes) > 6 else names


def _values(shape: tuple[int, ...]) -> str:
    count = math.prod(shape)
    return f"{count} value{'' if count == 1 else 's'}"
