"""Categorical hinge: one-hot targets and scores of classes in, what the true class's score lacks to the margin out."""

from __future__ import annotations

from collections.abc import Sequence

from trainer_cli.ir import language as ir
from trainer_cli.ir.graph import Value
from trainer_cli.parts import agreement
from trainer_cli.parts.loss import Finding, Loss, Prediction


class CategoricalHinge(Loss):
    """`max(max((1 − y)·ŷ) − Σ y·ŷ + 1, 0)` over the classes of the last axis; both `(batch, …, classes)`.

    As in Keras the true class takes part in the inner maximum with a score of 0.
    """

    target = "one_hot"

    def per_place(self, target: Value, prediction: Prediction) -> Value:
        score = prediction.value
        own = ir.reduce_sum(target * score, -1)
        best_other = ir.reduce_max((1.0 - target) * score, -1)
        return ir.maximum(best_other - own + 1.0, 0.0)

    def findings(self, prediction: Prediction) -> Sequence[Finding]:
        return agreement.with_one_unit(prediction) or agreement.with_classes(self.type, prediction)
