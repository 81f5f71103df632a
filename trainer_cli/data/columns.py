"""Raw columns of numbers, categories, booleans and dates in, rows of numbers as training wants them out; what was
learned of the training rows is kept with it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, ClassVar

from trainer_cli.data.calendar import DatePart, date_numbers
from trainer_cli.data.files import shown
from trainer_cli.data.fingerprint import hashed
from trainer_cli.data.raw_column import Encoding, Kind, RawColumn, Transform, Unseen
from trainer_cli.data.source import InputArray, Missing, ScalingMode
from trainer_cli.data.vocabulary import check_room
from trainer_cli.errors import DataError
from trainer_cli.lazy import np


@dataclass(frozen=True)
class FittedColumn:
    """What was learned of a column.

    Numbers: `fill` for what is missing, moved to `low` to `high`, transformed, then `(value - offset) / divisor`.
    Dates: such a pair for each number, in `scales`. Categories: their names, and the number of the one that fills
    (None: none); hashed ones have no names.
    """

    name: str
    kind: Kind
    missing: Missing
    unseen: Unseen
    scaling: ScalingMode
    offset: float = 0.0
    divisor: float = 1.0
    fill: float | None = None
    categories: tuple[str, ...] = ()
    transform: Transform = "none"
    low: float | None = None
    high: float | None = None
    encoding: Encoding = "one_hot"
    num_bins: int | None = None
    parts: tuple[DatePart, ...] = ()
    cyclical: bool = False
    scales: tuple[tuple[float, float], ...] = ()

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> FittedColumn:
        lists: dict[str, Any] = {key: tuple(value[key]) for key in ("categories", "parts") if key in value}
        lists["scales"] = tuple((low, high) for low, high in value.get("scales", ()))
        return cls(**{**value, **lists})


@dataclass(frozen=True)
class Columns:
    """How an input of different kinds of columns is encoded. `integers`: all of them as whole numbers."""

    columns: tuple[FittedColumn, ...]

    input_scale: ClassVar[float] = 1.0

    @property
    def integers(self) -> bool:
        return all(column.kind == "categorical" and column.encoding != "one_hot" for column in self.columns)

    def to_json(self) -> dict[str, Any]:
        return {"columns": [asdict(column) for column in self.columns]}

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Columns:
        return cls(tuple(map(FittedColumn.from_json, value["columns"])))

    def apply(self, given: InputArray, rows: np.ndarray | None) -> np.ndarray:
        """The given rows (None: all) as `(rows, numbers)`, float32, or int32 for integers.

        Raises DataError where a value does not fit.
        """
        if given.columns is None:
            raise DataError(f"{given.origin.file}: its columns are not of the kinds that the model was trained on")
        pieces: list[np.ndarray] = []
        for place, (fitted, raw) in enumerate(zip(self.columns, given.columns, strict=True)):
            values = given.values[:, place] if rows is None else given.values[rows, place]
            missing = np.isnan(values)
            if fitted.kind == "categorical":
                numbers = _category_numbers(fitted, raw, values, missing, given, rows)
                pieces.extend([numbers] if self.integers else _indicators(fitted, numbers))
            else:
                pieces.extend(_scaled(fitted, np.where(missing, fitted.fill or 0.0, values), given, rows))
            if fitted.missing == "indicator":
                pieces.append(missing)
        if self.integers:
            # What is missing (-2) and what is unseen (-1) share the number 0.
            return np.ascontiguousarray(np.maximum(np.stack(pieces, axis=1) + 1, 0), np.int32)
        return np.ascontiguousarray(np.stack(pieces, axis=1), np.float32)


def fit_columns(given: InputArray, rows: np.ndarray | None, bound: int | None = None) -> Columns:
    """Learn means, ranges and categories from the training rows (None: all).

    Raises DataError for whole numbers that the model, which takes those below `bound`, has no room for.
    """
    assert given.columns is not None
    found = Columns(
        tuple(
            _fit(raw, given.values[:, place] if rows is None else given.values[rows, place], given.origin.file)
            for place, raw in enumerate(given.columns)
        )
    )
    if found.integers:
        most = max(column.num_bins or len(column.categories) + 1 for column in found.columns)
        bins = all(column.encoding == "hashing" for column in found.columns)
        what = "values of a hash" if bins else "categories and one for what is missing"
        check_room(given.origin.file, most, bound, what)
    return found


def _fit(raw: RawColumn, values: np.ndarray, file: str) -> FittedColumn:
    missing = np.isnan(values)
    present = values[~missing]
    fitted = FittedColumn(
        raw.name, raw.kind, raw.missing, raw.unseen, raw.scaling, encoding=raw.encoding, num_bins=raw.num_bins,
        transform=raw.transform,
        parts=raw.parts, cyclical=raw.cyclical,
    )  # fmt: skip
    if raw.encoding == "hashing":
        return fitted
    if raw.kind == "categorical":
        counts = np.bincount(present.astype(np.int64), minlength=len(raw.words))
        seen = sorted(word for word, count in zip(raw.words, counts.tolist(), strict=True) if count)
        categories = raw.categories if raw.categories is not None else tuple(seen)
        fill = None
        if raw.missing in ("mean", "median") and seen:
            often = max(seen, key=lambda word: counts[raw.words.index(word)])
            fill = float(categories.index(often)) if often in categories else None
        return replace(fitted, fill=fill, categories=categories)
    fill, low, high = 0.0, None, None
    if len(present):
        if raw.missing == "median":
            fill = float(np.median(present))
        elif raw.missing in ("mean", "indicator"):
            fill = float(present.mean())
        if raw.clip is not None:
            low, high = (float(edge) for edge in np.quantile(present, raw.clip))
    fitted = replace(fitted, fill=fill, low=low, high=high)
    # Values that the transform does not take have no part in the scale; they are refused when it is applied.
    with np.errstate(all="ignore"):
        numbers = _numbers(fitted, np.where(missing, fill, values))
    scales = tuple(_scale(raw, each[np.isfinite(each)], file) if free else (0.0, 1.0) for each, free in numbers)
    if raw.kind == "date":
        return replace(fitted, scales=scales)
    return replace(fitted, offset=scales[0][0], divisor=scales[0][1])


def _numbers(fitted: FittedColumn, values: np.ndarray) -> list[tuple[np.ndarray, bool]]:
    """The numbers of a column before they are scaled, each with whether it is; NaN or an infinity is out of range."""
    if fitted.kind == "date":
        return date_numbers(values, fitted.parts, fitted.cyclical)
    if fitted.low is not None:
        values = np.clip(values, fitted.low, fitted.high)
    if fitted.transform == "log":
        values = np.log(values)
    elif fitted.transform == "log1p":
        values = np.log1p(values)
    elif fitted.transform == "signed_log1p":
        values = np.copysign(np.log1p(np.abs(values)), values)
    return [(values, True)]


def _scale(raw: RawColumn, values: np.ndarray, file: str) -> tuple[float, float]:
    """The offset and the divisor that the scaling asks for; a constant becomes 0."""
    if raw.scaling in ("none", "unit") or not len(values):
        return 0.0, 255.0 if raw.scaling == "unit" else 1.0
    with np.errstate(over="ignore", invalid="ignore"):
        low, high = float(values.min()), float(values.max())
        if raw.scaling == "min_max":
            offset, divisor = low, high - low
        else:
            # A constant's mean may be off by a rounding, and its deviation must then not be of that size.
            offset, divisor = (float(values.mean()), float(values.std())) if high > low else (low, 0.0)
    if not np.isfinite([offset, divisor]).all():
        raise DataError(f"{file}, column `{raw.name}`: its values are too large to be scaled")
    return offset, divisor or 1.0


_DOMAINS = {"log": "a number greater than 0", "log1p": "a number greater than -1"}


def _scaled(fitted: FittedColumn, values: np.ndarray, given: InputArray, rows: np.ndarray | None) -> list[np.ndarray]:
    if fitted.scaling == "unit":
        _check((values >= 0) & (values <= 255), values, "expected a number from 0 to 255", fitted.name, given, rows)
    scales = fitted.scales or ((fitted.offset, fitted.divisor),)
    with np.errstate(all="ignore"):
        numbers = [each for each, _ in _numbers(fitted, values)]
        results = [((each - low) / by).astype(np.float32) for each, (low, by) in zip(numbers, scales, strict=True)]
    expected = "expected a number that float32 can hold"
    if fitted.transform in _DOMAINS and not np.isfinite(numbers[0]).all():
        expected = f"`transform: {fitted.transform}` needs {_DOMAINS[fitted.transform]}"
    for result in results:
        _check(np.isfinite(result), values, expected, fitted.name, given, rows)
    return results


def _category_numbers(
    fitted: FittedColumn,
    raw: RawColumn,
    values: np.ndarray,
    missing: np.ndarray,
    given: InputArray,
    rows: np.ndarray | None,
) -> np.ndarray:
    """Every row's category by its number; -1 for another than these, -2 for none."""
    if fitted.num_bins is not None:
        known = np.asarray([hashed(word, fitted.num_bins - 1) for word in raw.words], np.int64)
    else:
        places = {name: number for number, name in enumerate(fitted.categories)}
        known = np.asarray([places.get(word, -1) for word in raw.words], np.int64)
    numbers = np.full(len(values), -2 if fitted.fill is None else int(fitted.fill))
    numbers[~missing] = known[values[~missing].astype(np.int64)] if len(known) else 0
    if fitted.unseen == "refuse" and (numbers == -1).any():
        names = ", ".join(shown(name) for name in fitted.categories[:6])
        words = [raw.words[int(code)] if code == code else "" for code in values]
        expected = f"unknown category: expected one of {names}{', …' if len(fitted.categories) > 6 else ''}"
        _check(numbers != -1, words, expected, fitted.name, given, rows)
    return numbers


def _indicators(fitted: FittedColumn, numbers: np.ndarray) -> list[np.ndarray]:
    """A column per category, 1 in the rows that have it."""
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
