"""False negatives: targets and a prediction in, the number of wrong decisions for no out."""

from __future__ import annotations

from trainer_cli.ir.graph import Value
from trainer_cli.parts.confusion import CountMetric, by_class
from trainer_cli.parts.loss import Prediction, TargetForm


class FalseNegatives(CountMetric):
    """How often the prediction said no and was wrong, over the epoch."""

    direction = "min"

    def statistics(
        self, target: Value, prediction: Prediction, form: TargetForm, weights: Value | None = None
    ) -> dict[str, Value]:
        predicted, truth = self.decisions(target, prediction, form)
        return {"count": by_class((1.0 - predicted) * truth, weights)}
