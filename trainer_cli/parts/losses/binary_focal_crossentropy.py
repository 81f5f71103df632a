"""Binary focal cross-entropy: targets 0 or 1 and probabilities (or logits) in, cross-entropy of hard cases out."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import Field

from trainer_cli.ir import language as ir
from trainer_cli.ir.graph import Value
from trainer_cli.parts import agreement, formulas
from trainer_cli.parts.loss import EPSILON, Finding, Loss, Prediction


class BinaryFocalCrossentropy(Loss):
    """`mean((1 − q)^γ · binary cross-entropy)` with the probability `q = y·p + (1 − y)·(1 − p)` of the truth.

    Both `(batch, …)`. Lin, Goyal, Girshick, He and Dollár, "Focal loss for dense object detection", 2017. With logits
    at hand, given or behind a sigmoid, the forms are used that lose no digits. Smoothing s replaces y by
    `y·(1 − s) + s/2`.
    """

    target = "binary"

    apply_class_balancing: bool = Field(default=False, description="weigh yes by alpha and no by 1 − alpha")
    alpha: float = Field(default=0.25, ge=0, le=1, description="weight of the answer yes, where classes are balanced")
    gamma: float = Field(default=2.0, ge=0, description="how strongly cases that are right already are left out")
    from_logits: bool = Field(default=False, description="the prediction is logits, not probabilities")
    label_smoothing: float = Field(default=0.0, ge=0, le=1, description="how far targets move towards 1/2")
    axis: int = Field(default=-1, description="the axis of the units: the last one, which -1 is")

    def per_place(self, target: Value, prediction: Prediction) -> Value:
        target = formulas.smoothed(target, self.label_smoothing)
        logits = prediction.value if self.from_logits else prediction.logits_behind("sigmoid")
        if logits is not None:
            entropy = formulas.softplus(logits) - target * logits
            yes, no = ir.logistic(logits), ir.logistic(-logits)
        else:
            probability = ir.clip(prediction.value, EPSILON, 1.0 - EPSILON)
            entropy = -(target * ir.log(probability) + (1.0 - target) * ir.log(1.0 - probability))
            yes, no = prediction.value, 1.0 - prediction.value
        # As a sum of what is wrong, 1 − q keeps its digits where q is near 1.
        focal = formulas.power(target * no + (1.0 - target) * yes, self.gamma) * entropy
        if self.apply_class_balancing:
            focal = focal * (target * self.alpha + (1.0 - target) * (1.0 - self.alpha))
        return formulas.mean_of_units(focal)

    def findings(self, prediction: Prediction) -> Sequence[Finding]:
        if found := agreement.along_another_axis(self.type, self.axis, prediction):
            return found
        if self.from_logits:
            return agreement.with_logits(self.type, prediction)
        return agreement.with_one_unit(prediction) or agreement.with_probabilities(self.type, prediction)
