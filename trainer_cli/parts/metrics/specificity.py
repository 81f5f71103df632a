"""Specificity: targets and a prediction in, the fraction of the true negatives that was left alone out."""

from __future__ import annotations

from trainer_cli.ir.graph import Value
from trainer_cli.parts.confusion import ConfusionMetric, Totals, by_class
from trainer_cli.parts.loss import Prediction, TargetForm


class Specificity(ConfusionMetric):
    """`true negatives / (true negatives + false positives)`, 0 where there was nothing to leave alone."""

    def statistics(
        self, target: Value, prediction: Prediction, form: TargetForm, weights: Value | None = None
    ) -> dict[str, Value]:
        predicted, truth = self.decisions(target, prediction, form)
        return {
            "true_negatives": by_class((1.0 - predicted) * (1.0 - truth), weights),
            "false_positives": by_class(predicted * (1.0 - truth), weights),
        }

    def result(self, totals: Totals) -> float:
        return self.ratio(totals["true_negatives"], totals["false_positives"])
