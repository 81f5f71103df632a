"""True negatives: targets and a prediction in, the number of right decisions for no out."""

from __future__ import annotations

from trainer_cli.ir.graph import Value
from trainer_cli.parts.confusion import CountMetric, by_class
from trainer_cli.parts.loss import Prediction, TargetForm


class TrueNegatives(CountMetric):
    """How often the prediction said no and was right, over the epoch."""

    def statistics(
        self, target: Value, prediction: Prediction, form: TargetForm, weights: Value | None = None
    ) -> dict[str, Value]:
        predicted, truth = self.decisions(target, prediction, form)
        return {"count": by_class((1.0 - predicted) * (1.0 - truth), weights)}
