"""Root mean squared error: targets and predictions in, the root of the mean square of their difference out."""

from __future__ import annotations

from collections.abc import Mapping

from trainer_cli.ir import language as ir
from trainer_cli.ir.graph import Value
from trainer_cli.lazy import NDArray, np
from trainer_cli.parts.loss import Prediction, TargetForm
from trainer_cli.parts.metric import Metric, as_indicators, fraction, mean_statistics

ALIASES = ("rmse",)


class RootMeanSquaredError(Metric):
    """`√mean((y − ŷ)²)` over all samples and units; class numbers are compared as one-hot indicators."""

    direction = "min"

    def statistics(
        self, target: Value, prediction: Prediction, form: TargetForm, weights: Value | None = None
    ) -> dict[str, Value]:
        return mean_statistics(ir.square(prediction.value - as_indicators(target, prediction, form)), weights)

    def result(self, totals: Mapping[str, NDArray[np.float64]]) -> float:
        return float(np.sqrt(fraction(totals)))
