"""R²: targets and predictions in, the share of the targets' variance that the predictions explain out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from pydantic import Field

from trainer_cli.ir import language as ir
from trainer_cli.ir.graph import Value
from trainer_cli.lazy import NDArray, np
from trainer_cli.parts.confusion import by_class
from trainer_cli.parts.loss import Prediction, TargetForm
from trainer_cli.parts.metric import Metric, as_indicators

CONSTANT = 1e-12
"""The share of a column's mean square below which its variance is rounding, and the column constant."""


class R2Score(Metric):
    """`1 − Σ (y − ŷ)² / Σ (y − ȳ)²` of every unit over the epoch, averaged over the units.

    A unit whose target never changes has 1 where it is predicted exactly, and 0 otherwise. With `num_regressors` p and
    n samples the result r becomes the adjusted `1 − (1 − r)·(n − 1) / (n − p − 1)`, unless p is n − 1 or more (Keras
    counts each unit of a sample as one). Sums are of float32: with targets whose mean is a thousand times their spread
    or more, the result has few digits.
    """

    class_aggregation: Literal["uniform_average", "variance_weighted_average"] = Field(
        default="uniform_average", description="how the units are averaged: alike, or by the variance of their targets"
    )
    num_regressors: int = Field(default=0, ge=0, description="independent variables p, for the adjusted R²")

    def statistics(
        self, target: Value, prediction: Prediction, form: TargetForm, weights: Value | None = None
    ) -> dict[str, Value]:
        truth = as_indicators(target, prediction, form)
        return {
            "count": by_class(ir.ones_like(truth), weights),
            "sum": by_class(truth, weights),
            "square": by_class(ir.square(truth), weights),
            "residual": by_class(ir.square(truth - prediction.value), weights),
        }

    def result(self, totals: Mapping[str, NDArray[np.float64]]) -> float:
        count, square, residual = totals["count"], totals["square"], totals["residual"]
        if not count.any():
            return 0.0
        spread = square - totals["sum"] ** 2 / count
        constant = spread <= CONSTANT * square
        scores = np.where(constant, residual == 0, 1.0 - residual / np.where(constant, 1.0, spread))
        spread = np.where(constant, 0.0, spread)
        if self.class_aggregation == "variance_weighted_average" and spread.any():
            score = float(np.average(scores, weights=spread))
        else:
            score = float(scores.mean())
        samples = float(count[0])
        if 0 < self.num_regressors < samples - 1:
            score = 1.0 - (1.0 - score) * (samples - 1.0) / (samples - self.num_regressors - 1.0)
        return score
