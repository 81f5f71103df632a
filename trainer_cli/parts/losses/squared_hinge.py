"""Squared hinge: answers yes or no and scores in, the mean square of what scores lack to the margin out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from trainer_cli.ir import language as ir
from trainer_cli.ir.graph import Value
from trainer_cli.parts import agreement, formulas
from trainer_cli.parts.loss import Finding, Loss, Prediction


class SquaredHinge(Loss):
    """`mean(max(1 − y·ŷ, 0)²)`, every unit being a yes (y = 1) or no (y = −1) of its own; both `(batch, …)`.

    Targets 0 count as −1. The sign of a score is its decision: metrics take scores as logits.
    """

    target = "binary"
    from_logits: ClassVar[bool] = True

    def per_place(self, target: Value, prediction: Prediction) -> Value:
        return formulas.mean_of_units(ir.square(ir.maximum(1.0 - formulas.as_signs(target) * prediction.value, 0.0)))

    def findings(self, prediction: Prediction) -> Sequence[Finding]:
        return agreement.with_one_unit(prediction) or agreement.with_margins(self.type, prediction)
