"""Targets that are numbers in, the same in a range that trains well out; and back again for predictions and metrics."""

from __future__ import annotations

from typing import Any, Literal, NamedTuple, TypeAlias

from trainer_cli.errors import DataError
from trainer_cli.lazy import np

TargetMode: TypeAlias = Literal["none", "standardize", "min_max", "log", "log1p"]
"""How a target that is numbers is scaled for training: to mean 0 and deviation 1, to 0 to 1, or its logarithm (or that
of 1 more) to mean 0 and deviation 1. Statistics come from the training split alone."""

DOMAINS = {
    "log": "expected a number greater than 0, which has a logarithm",
    "log1p": "expected a number greater than -1",
}


class TargetScaling(NamedTuple):
    """`(transformed value - offset) / divisor`, with a number for every element of a row."""

    mode: TargetMode
    offset: tuple[float, ...]
    divisor: tuple[float, ...]

    def to_json(self) -> dict[str, Any]:
        return {"mode": self.mode, "offset": list(self.offset), "divisor": list(self.divisor)}

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> TargetScaling:
        return cls(value["mode"], tuple(value["offset"]), tuple(value["divisor"]))

    def apply(self, values: np.ndarray) -> np.ndarray:
        """Targets `(rows, …)` as they are trained on, float64."""
        rows = transformed(self.mode, values).reshape(len(values), -1)
        return ((rows - np.asarray(self.offset)) / np.asarray(self.divisor)).reshape(values.shape)

    def restore(self, values: np.ndarray) -> np.ndarray:
        """What a model predicts, `(rows, …)`, in the units of the data, float32."""
        rows = values.reshape(len(values), -1).astype(np.float64) * np.asarray(self.divisor) + np.asarray(self.offset)
        with np.errstate(over="ignore"):
            rows = np.exp(rows) if self.mode == "log" else np.expm1(rows) if self.mode == "log1p" else rows
            return np.ascontiguousarray(rows.reshape(values.shape), np.float32)


def transformed(mode: TargetMode, values: np.ndarray) -> np.ndarray:
    """The values before they are shifted and divided, float64; what has no logarithm becomes no finite number."""
    with np.errstate(all="ignore"):
        return np.log(values) if mode == "log" else np.log1p(values) if mode == "log1p" else np.asarray(values)


def fit_target_scaling(mode: TargetMode, values: np.ndarray, file: str) -> TargetScaling:
    """Learn from the targets of the training rows, `(rows, …)` finite numbers that have a logarithm if it needs one."""
    rows = transformed(mode, values).reshape(len(values), -1)
    with np.errstate(over="ignore", invalid="ignore"):
        low, high = rows.min(axis=0), rows.max(axis=0)
        if mode == "min_max":
            offset, divisor = low, high - low
        else:
            # A constant's mean may be off by a rounding, and its deviation must then not be of that size.
            offset = np.where(high > low, rows.mean(axis=0), low)
            divisor = np.where(high > low, rows.std(axis=0), 0.0)
    if not (np.isfinite(offset).all() and np.isfinite(divisor).all()):
        raise DataError(f"{file}: the target's values are too large to be scaled")
    return TargetScaling(mode, tuple(offset.tolist()), tuple(np.where(divisor > 0, divisor, 1.0).tolist()))
