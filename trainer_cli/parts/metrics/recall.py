"""Recall: targets and a prediction in, the fraction of the true positives that was found out."""

from __future__ import annotations

from trainer_cli.ir.graph import Value
from trainer_cli.parts.confusion import ConfusionMetric, Totals, by_class
from trainer_cli.parts.loss import Prediction, TargetForm

ALIASES = ("sensitivity",)


class Recall(ConfusionMetric):
    """`true positives / (true positives + false negatives)`, 0 where there was nothing to find."""

    def statistics(
        self, target: Value, prediction: Prediction, form: TargetForm, weights: Value | None = None
    ) -> dict[str, Value]:
        predicted, truth = self.decisions(target, prediction, form)
        return {
            "true_positives": by_class(predicted * truth, weights),
            "false_negatives": by_class((1.0 - predicted) * truth, weights),
        }

    def result(self, totals: Totals) -> float:
        return self.ratio(totals["true_positives"], totals["false_negatives"])
