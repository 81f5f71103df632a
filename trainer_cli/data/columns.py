"""Raw columns of numbers, categories and booleans in, rows of float32 as training wants them out; what was learned of
the training rows is kept with it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, ClassVar, Literal, NamedTuple, TypeAlias

from pydantic import BaseModel, ConfigDict, Field

from trainer_cli.data.files import shown
from trainer_cli.data.source import InputArray, Missing, ScalingMode
from trainer_cli.errors import DataError
from trainer_cli.lazy import np

Kind: TypeAlias = Literal["numeric", "categorical", "boolean"]
Unseen: TypeAlias = Literal["zeros", "column", "refuse"]


class ColumnSpec(BaseModel):
    """How one feature column is read, where it differs from the rest."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False, defer_build=True)

    kind: Kind = Field(default="numeric", description="what the cells are")
    missing: Missing | None = Field(
        default=None, description="what becomes of missing cells; default: as in all columns"
    )
    scaling: ScalingMode | None = Field(
        default=None, description="how numbers are scaled; default: as for all columns, and booleans not at all"
    )
    categories: list[str] | None = Field(
        default=None, min_length=1, description="the categories in order; default: those of the training rows"
    )
    unseen: Unseen = Field(
        default="zeros",
        description="another category than these: zeros everywhere, a column of its own, or refused",
    )


class RawColumn(NamedTuple):
    """A column as it is read: numbers with NaN where a cell is missing; categories are codes of `words`."""

    name: str
    kind: Kind
    missing: Missing
    scaling: ScalingMode
    unseen: Unseen = "zeros"
    categories: tuple[str, ...] | None = None
    words: tuple[str, ...] = ()

    def width(self, categories: int) -> int:
        """The numbers that a row gets for this column."""
        indicator = self.missing == "indicator"
        return indicator + (categories + (self.unseen == "column") if self.kind == "categorical" else 1)


@dataclass(frozen=True)
class FittedColumn:
    """What was learned of a column: `(value - offset) / divisor` with `fill` for what is missing; or the categories,
    with the number of the one that fills (None: none)."""

    name: str
    kind: Kind
    missing: Missing
    unseen: Unseen
    scaling: ScalingMode
    offset: float = 0.0
    divisor: float = 1.0
    fill: float | None = None
    categories: tuple[str, ...] = ()


@dataclass(frozen=True)
class Columns:
    """How an input of different kinds of columns is encoded."""

    columns: tuple[FittedColumn, ...]

    input_scale: ClassVar[float] = 1.0

    def to_json(self) -> dict[str, Any]:
        return {"columns": [asdict(column) for column in self.columns]}

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Columns:
        return cls(
            tuple(FittedColumn(**{**each, "categories": tuple(each["categories"])}) for each in value["columns"])
        )

    def apply(self, given: InputArray, rows: np.ndarray | None) -> np.ndarray:
        """The given rows (None: all) as `(rows, numbers)` float32. Raises DataError where a value does not fit."""
        if given.columns is None:
            raise DataError(f"{given.origin.file}: its columns are not of the kinds that the model was trained on")
        pieces: list[np.ndarray] = []
        for place, (fitted, raw) in enumerate(zip(self.columns, given.columns, strict=True)):
            values = given.values[:, place] if rows is None else given.values[rows, place]
            missing = np.isnan(values)
            if fitted.kind == "categorical":
                pieces.extend(_indicators(fitted, raw, values, missing, given, rows))
            else:
                pieces.append(_scaled(fitted, np.where(missing, fitted.fill or 0.0, values), given, rows))
            if fitted.missing == "indicator":
                pieces.append(missing)
        return np.ascontiguousarray(np.stack(pieces, axis=1), np.float32)


def fit_columns(given: InputArray, rows: np.ndarray | None) -> Columns:
    """Learn means, ranges and categories from the training rows (None: all)."""
    assert given.columns is not None
    return Columns(
        tuple(
            _fit(raw, given.values[:, place] if rows is None else given.values[rows, place], given.origin.file)
            for place, raw in enumerate(given.columns)
        )
    )


def _fit(raw: RawColumn, values: np.ndarray, file: str) -> FittedColumn:
    missing = np.isnan(values)
    present = values[~missing]
    if raw.kind == "categorical":
        counts = np.bincount(present.astype(np.int64), minlength=len(raw.words))
        seen = sorted(word for word, count in zip(raw.words, counts.tolist(), strict=True) if count)
        categories = raw.categories if raw.categories is not None else tuple(seen)
        fill = None
        if raw.missing in ("mean", "median") and seen:
            often = max(seen, key=lambda word: counts[raw.words.index(word)])
            fill = float(categories.index(often)) if often in categories else None
        return FittedColumn(raw.name, raw.kind, raw.missing, raw.unseen, raw.scaling, fill=fill, categories=categories)
    if raw.missing == "median":
        fill = float(np.median(present)) if len(present) else 0.0
    else:
        fill = float(present.mean()) if len(present) and raw.missing in ("mean", "indicator") else 0.0
    filled = np.where(missing, fill, values)
    offset, divisor = 0.0, 255.0 if raw.scaling == "unit" else 1.0
    with np.errstate(over="ignore", invalid="ignore"):
        low, high = float(filled.min()), float(filled.max())
        if raw.scaling == "min_max":
            offset, divisor = low, high - low
        elif raw.scaling == "standardize":
            # A constant's mean may be off by a rounding, and its deviation must then not be of that size.
            offset, divisor = (float(filled.mean()), float(filled.std())) if high > low else (low, 0.0)
    if not np.isfinite([offset, divisor]).all():
        raise DataError(f"{file}, column `{raw.name}`: its values are too large to be scaled")
    return FittedColumn(raw.name, raw.kind, raw.missing, raw.unseen, raw.scaling, offset, divisor or 1.0, fill)


def _scaled(fitted: FittedColumn, values: np.ndarray, given: InputArray, rows: np.ndarray | None) -> np.ndarray:
    if fitted.scaling == "unit":
        _check((values >= 0) & (values <= 255), values, "expected a number from 0 to 255", fitted.name, given, rows)
    with np.errstate(over="ignore"):
        result = ((values - fitted.offset) / fitted.divisor).astype(np.float32)
    _check(np.isfinite(result), values, "expected a number that float32 can hold", fitted.name, given, rows)
    return result


def _indicators(
    fitted: FittedColumn,
    raw: RawColumn,
    values: np.ndarray,
    missing: np.ndarray,
    given: InputArray,
    rows: np.ndarray | None,
) -> list[np.ndarray]:
    """A column per category, 1 in the rows that have it."""
    places = {name: number for number, name in enumerate(fitted.categories)}
    known = np.asarray([places.get(word, -1) for word in raw.words], np.int64)
    numbers = np.full(len(values), -2 if fitted.fill is None else int(fitted.fill))
    numbers[~missing] = known[values[~missing].astype(np.int64)] if len(known) else 0
    if fitted.unseen == "refuse" and (numbers == -1).any():
        names = ", ".join(shown(name) for name in fitted.categories[:6])
        words = [raw.words[int(code)] if code == code else "" for code in values]
        expected = f"unknown category: expected one of {names}{', …' if len(fitted.categories) > 6 else ''}"
        _check(numbers != -1, words, expected, fitted.name, given, rows)
    found = [numbers == place for place in range(len(fitted.categories))]
    return [*found, numbers == -1] if fitted.unseen == "column" else found


def _check(
    good: np.ndarray,
    values: Sequence[Any] | np.ndarray,
    expected: str,
    name: str,
    given: InputArray,
    rows: np.ndarray | None,
) -> None:
    if not good.all():
        row = int(np.argmin(good))
        at = given.origin.at(row if rows is None else int(rows[row]))
        raise DataError(f"{at}, column `{name}`: {expected}, found {shown(values[row])}")
