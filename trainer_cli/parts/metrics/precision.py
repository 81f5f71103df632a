"""Precision: targets and a prediction in, the fraction of its positive decisions that is right out."""

from __future__ import annotations

from trainer_cli.ir.graph import Value
from trainer_cli.parts.confusion import ConfusionMetric, Totals, by_class
from trainer_cli.parts.loss import Prediction, TargetForm


class Precision(ConfusionMetric):
    """`true positives / (true positives + false positives)`, 0 where nothing was decided for."""

    def statistics(
        self, target: Value, prediction: Prediction, form: TargetForm, weights: Value | None = None
    ) -> dict[str, Value]:
        predicted, truth = self.decisions(target, prediction, form)
        return {
            "true_positives": by_class(predicted * truth, weights),
            "false_positives": by_class(predicted * (1.0 - truth), weights),
        }

    def result(self, totals: Totals) -> float:
        return self.ratio(totals["true_positives"], totals["false_positives"])
