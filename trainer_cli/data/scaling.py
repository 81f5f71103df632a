"""Raw input arrays in, float32, uint8 or int32 arrays as training wants them out; statistics are kept with it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from trainer_cli.data.files import shown
from trainer_cli.data.source import BYTE_SCALE, InputArray, Origin, ScalingMode
from trainer_cli.data.vocabulary import check_room
from trainer_cli.errors import ConfigError, DataError, Problem
from trainer_cli.lazy import np

_ELEMENTS_AT_ONCE = 1 << 18
"""Values converted at a time: large arrays are never copied whole in float64."""


@dataclass(frozen=True)
class Scaling:
    """How one input is scaled: `(value - offset) / divisor` per feature, then times `input_scale` as it is gathered.

    Bytes stay bytes where one factor does for all of them. `offset` and `divisor` have the shape of a row, or are None.
    With the dtype `int32` the input is whole numbers, not scaled, and from 0 to `bound` - 1 if there is a bound.
    """

    mode: ScalingMode
    shape: tuple[int, ...]
    dtype: str
    input_scale: float = 1.0
    offset: np.ndarray | None = None
    divisor: np.ndarray | None = None
    bound: int | None = None

    def to_json(self) -> dict[str, Any]:
        return {
            "mode": self.mode,
            "shape": list(self.shape),
            "dtype": self.dtype,
            "input_scale": self.input_scale,
            "offset": None if self.offset is None else self.offset.ravel().tolist(),
            "divisor": None if self.divisor is None else self.divisor.ravel().tolist(),
            "bound": self.bound,
        }

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Scaling:
        shape = tuple(value["shape"])
        statistics = {
            name: None if value[name] is None else np.asarray(value[name], np.float64).reshape(shape)
            for name in ("offset", "divisor")
        }
        return cls(value["mode"], shape, value["dtype"], value["input_scale"], **statistics, bound=value.get("bound"))

    def apply(self, given: InputArray, rows: np.ndarray | None) -> np.ndarray:
        """The given rows (None: all), scaled, C-contiguous. Raises DataError where a value does not fit."""
        values, origin, features = given.values, given.origin, given.features
        if given.words is not None:
            raise DataError(f"{origin.file}: holds tokens as text, the model was trained on numbers")
        if values.shape[1:] != self.shape:
            raise DataError(f"{origin.file}: rows have shape {values.shape[1:]}, the model was trained on {self.shape}")
        if self.dtype == "uint8":
            if values.dtype != np.uint8:
                raise DataError(f"{origin.file}: holds {values.dtype} values, the model was trained on bytes")
            return np.ascontiguousarray(values if rows is None else values[rows])
        count = len(values) if rows is None else len(rows)
        if self.dtype == "int32":
            return self._whole(values, rows, count, origin, features)
        result = np.empty((count, *self.shape), np.float32)
        for begin, end, block in _blocks(values, rows):
            if self.mode == "unit" and not ((block >= 0) & (block <= 255)).all():
                _complain(block, (block >= 0) & (block <= 255), begin, rows, origin, features, "a number from 0 to 255")
            if self.offset is not None:
                block = block - self.offset
            if self.divisor is not None:
                block = block / self.divisor
            with np.errstate(over="ignore"):
                result[begin:end] = block
            finite = np.isfinite(result[begin:end])
            if not finite.all():
                _complain(block, finite, begin, rows, origin, features, "a number that float32 can hold")
        return result

    def _whole(
        self,
        values: np.ndarray,
        rows: np.ndarray | None,
        count: int,
        origin: Origin,
        features: tuple[str, ...] | None,
    ) -> np.ndarray:
        low, high = (-(2**31), 2**31 - 1) if self.bound is None else (0, self.bound - 1)
        result = np.empty((count, *self.shape), np.int32)
        for begin, end, block in _blocks(values, rows):
            good = (block >= low) & (block <= high) & (block == np.floor(block))
            if not good.all():
                between = "that int32 can hold" if self.bound is None else f"from {low} to {high}"
                _complain(block, good, begin, rows, origin, features, f"a whole number {between}")
            result[begin:end] = block
        return result


def whole_numbers(mode: ScalingMode, given: InputArray, bound: int | None) -> Scaling:
    """An input of whole numbers as it is. Raises ConfigError if it shall be scaled, DataError for too small a model."""
    values = given.values
    if mode != "none" and not given.whole:
        message = f"`scaling: {mode}` would change the whole numbers that the `input` layer declares"
        raise ConfigError([Problem(message, ("data", "scaling"), hint="leave it out, or set it to none")])
    if given.tokens is not None:
        check_room(given.origin.file, given.tokens, bound)
    return Scaling("none", values.shape[1:], "int32", bound=bound)


def fit_scaling(mode: ScalingMode, given: InputArray, rows: np.ndarray | None) -> Scaling:
    """Choose the scaling of an input from the training rows (None: all). Constant features become 0."""
    values, origin = given.values, given.origin
    shape = values.shape[1:]
    if mode in ("none", "unit"):
        if values.dtype == np.uint8:
            return Scaling(mode, shape, "uint8", BYTE_SCALE if mode == "unit" else 1.0)
        return Scaling(mode, shape, "float32", divisor=np.full(shape, 255.0) if mode == "unit" else None)
    with np.errstate(over="ignore", invalid="ignore"):
        offset, divisor = _statistics(mode, values, rows)
    if not (np.isfinite(offset).all() and np.isfinite(divisor).all()):
        raise DataError(f"{origin.file}: a feature's values are too large to be scaled")
    return Scaling(mode, shape, "float32", offset=offset, divisor=np.where(divisor > 0, divisor, 1.0))


def _statistics(mode: ScalingMode, values: np.ndarray, rows: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
    """Offset and divisor of each feature; the divisor of a constant one is exactly 0."""
    shape = values.shape[1:]
    low, high, total, count = np.full(shape, np.inf), np.full(shape, -np.inf), np.zeros(shape), 0
    for _, _, block in _blocks(values, rows):
        np.minimum(low, block.min(axis=0), out=low)
        np.maximum(high, block.max(axis=0), out=high)
        total += block.sum(axis=0)
        count += len(block)
    if mode == "min_max":
        return low, high - low
    # A constant's mean may be off by a rounding, and dividing that by a deviation of its own size would make it a 1.
    mean = np.where(high > low, total / count, low)
    squares = np.zeros(shape)
    for _, _, block in _blocks(values, rows):
        squares += np.square(block - mean).sum(axis=0)
    return mean, np.sqrt(squares / count)


def _blocks(values: np.ndarray, rows: np.ndarray | None) -> Iterator[tuple[int, int, np.ndarray]]:
    """Pieces of the chosen rows as float64, each with its begin and end."""
    count = len(values) if rows is None else len(rows)
    step = max(1, _ELEMENTS_AT_ONCE // max(1, values[0].size))
    for begin in range(0, count, step):
        end = min(begin + step, count)
        chosen = values[begin:end] if rows is None else values[rows[begin:end]]
        yield begin, end, chosen.astype(np.float64, copy=False)


def _complain(
    block: np.ndarray,
    good: np.ndarray,
    begin: int,
    rows: np.ndarray | None,
    origin: Origin,
    features: tuple[str, ...] | None,
    expected: str,
) -> None:
    place = np.unravel_index(int(np.argmin(good)), good.shape)
    row = begin + int(place[0])
    if features is not None:
        where = f"column `{features[int(place[1])]}`"
    else:
        where = f"element [{', '.join(str(int(index)) for index in place[1:])}]"
    at = origin.at(row if rows is None else int(rows[row]))
    raise DataError(f"{at}, {where}: expected {expected}, found {shown(block[place])}")
