"""Metrics that are means: targets and a prediction in, their sum and count per batch and the mean of an epoch out."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping

from trainer_cli.ir.graph import Value
from trainer_cli.lazy import NDArray, np
from trainer_cli.parts.loss import Prediction, TargetForm
from trainer_cli.parts.metric import Metric, fraction, mean_statistics


class MeanMetric(Metric):
    """The mean over the epoch of a number for every place, or for every unit of it."""

    @abstractmethod
    def each(self, target: Value, prediction: Prediction, form: TargetForm) -> Value:
        """Write the IR of what is averaged: `(batch, …)`, of the places' shape or with the axis of units behind."""

    def statistics(
        self, target: Value, prediction: Prediction, form: TargetForm, weights: Value | None = None
    ) -> dict[str, Value]:
        return mean_statistics(self.each(target, prediction, form), weights)

    def result(self, totals: Mapping[str, NDArray[np.float64]]) -> float:
        return fraction(totals)
