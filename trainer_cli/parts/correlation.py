"""Correlation of targets and predictions: both in, per place or by unit over the epoch, moments and their mean out."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import Literal, NamedTuple

from pydantic import Field

from trainer_cli.ir import language as ir
from trainer_cli.ir.graph import Value
from trainer_cli.lazy import NDArray, np
from trainer_cli.parts import agreement
from trainer_cli.parts.confusion import by_class
from trainer_cli.parts.loss import Loss, Prediction, TargetForm
from trainer_cli.parts.metric import Metric, as_indicators, fraction, mean_statistics


class Moments(NamedTuple):
    """Variances of targets and predictions, their covariance, and the square of the difference of their means."""

    target: NDArray[np.float64]
    prediction: NDArray[np.float64]
    together: NDArray[np.float64]
    shift: NDArray[np.float64]


class CorrelationMetric(Metric):
    """A correlation of targets and predictions; vectors that are constant have 0."""

    axis: Literal[-1, 0] = Field(
        default=-1,
        description="-1: along the units of every place, averaged over places, as in Keras; "
        "0: along the samples of the epoch, averaged over units, as always with one unit",
    )

    def resolve(self, loss: Loss, prediction: Prediction) -> Metric:
        return self if agreement.units(prediction) > 1 else self.model_copy(update={"axis": 0})

    def statistics(
        self, target: Value, prediction: Prediction, form: TargetForm, weights: Value | None = None
    ) -> dict[str, Value]:
        true, found = as_indicators(target, prediction, form), prediction.value
        if self.axis == -1:
            return mean_statistics(self._of_places(true, found), weights)
        return {
            "count": by_class(ir.ones_like(true), weights),
            "target": by_class(true, weights),
            "prediction": by_class(found, weights),
            "target_square": by_class(ir.square(true), weights),
            "prediction_square": by_class(ir.square(found), weights),
            "product": by_class(true * found, weights),
        }

    def result(self, totals: Mapping[str, NDArray[np.float64]]) -> float:
        if self.axis == -1:
            return fraction(totals)
        count = totals["count"]
        if not count.any():
            return 0.0
        true, found = totals["target"] / count, totals["prediction"] / count
        moments = Moments(
            np.maximum(totals["target_square"] / count - true**2, 0.0),
            np.maximum(totals["prediction_square"] / count - found**2, 0.0),
            totals["product"] / count - true * found,
            (true - found) ** 2,
        )
        # A variance beside a square that is 1e12 times as large is rounding.
        varied = (moments.target > 1e-12 * true**2) & (moments.prediction > 1e-12 * found**2)
        with np.errstate(divide="ignore", invalid="ignore"):
            return float(np.where(varied, self.of_epoch(moments), 0.0).mean())

    @abstractmethod
    def of_epoch(self, moments: Moments) -> NDArray[np.float64]:
        """The correlation of every unit; whatever where a variance is 0."""

    @abstractmethod
    def of_vectors(self, target: Value, prediction: Value, together: Value, shift: Value) -> Value:
        """The same in IR, of variances, covariance and the square of the means' difference: `(batch, …)` each."""

    def _of_places(self, true: Value, found: Value) -> Value:
        means = [ir.reduce_mean(each, -1, keepdims=True) for each in (true, found)]
        true, found = true - means[0], found - means[1]
        shift = ir.square(ir.reduce_sum(means[0] - means[1], -1))
        spread = ir.reduce_mean(ir.square(true), -1), ir.reduce_mean(ir.square(found), -1)
        varied = ir.logical_and(ir.greater(spread[0], 0.0), ir.greater(spread[1], 0.0))
        first, second = (ir.select(varied, each, 1.0) for each in spread)
        return ir.select(varied, self.of_vectors(first, second, ir.reduce_mean(true * found, -1), shift), 0.0)
