"""Categorical focal cross-entropy: one-hot targets and probabilities (or logits) in, that of hard cases out."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import Field

from trainer_cli.ir import language as ir
from trainer_cli.ir.graph import Value
from trainer_cli.parts import agreement, formulas
from trainer_cli.parts.loss import EPSILON, Finding, Loss, Prediction
from trainer_cli.parts.part import FloatList


class CategoricalFocalCrossentropy(Loss):
    """`−Σ α·(1 − p)^γ · y·log p` over the classes of the last axis; both `(batch, …, classes)`.

    Lin, Goyal, Girshick, He and Dollár, "Focal loss for dense object detection", 2017. With logits at hand, given or
    behind a softmax, `log p` is their log-softmax; otherwise p is divided by its sum and kept within [1e-7, 1 − 1e-7].
    Smoothing s replaces y by `y·(1 − s) + s/classes`.
    """

    target = "one_hot"

    alpha: float | FloatList = Field(default=0.25, description="weight of all classes, or a list of one for each")
    gamma: float = Field(default=2.0, ge=0, description="how strongly cases that are right already are left out")
    from_logits: bool = Field(default=False, description="the prediction is logits, not probabilities")
    label_smoothing: float = Field(default=0.0, ge=0, le=1, description="how far targets move towards 1/classes")
    axis: int = Field(default=-1, description="the axis of the classes: the last one, which -1 is")

    def per_place(self, target: Value, prediction: Prediction) -> Value:
        if self.label_smoothing > 0:
            target = target * (1.0 - self.label_smoothing) + self.label_smoothing / agreement.units(prediction)
        logits = prediction.value if self.from_logits else prediction.logits_behind("softmax")
        if logits is not None:
            logarithm = formulas.log_softmax(logits)
            probability = ir.softmax(logits)
        else:
            probability = prediction.value / ir.reduce_sum(prediction.value, -1, keepdims=True)
            probability = ir.clip(probability, EPSILON, 1.0 - EPSILON)
            logarithm = ir.log(probability)
        focal = formulas.power(1.0 - probability, self.gamma) * (target * logarithm)
        if isinstance(self.alpha, float):
            return ir.reduce_sum(focal, -1) * -self.alpha
        return -ir.reduce_sum(focal * ir.constant(focal.graph, list(self.alpha)), -1)

    def findings(self, prediction: Prediction) -> Sequence[Finding]:
        if found := agreement.along_another_axis(self.type, self.axis, prediction):
            return found
        if found := agreement.with_one_unit(prediction) or agreement.with_classes(self.type, prediction):
            return found
        classes = agreement.units(prediction)
        if isinstance(self.alpha, tuple) and len(self.alpha) != classes:
            message = f"`alpha` has {len(self.alpha)} weights, but the output has {classes} classes"
            return [Finding("impossible", message, "give one weight per class, or one number for all")]
        return (agreement.with_logits if self.from_logits else agreement.with_probabilities)(self.type, prediction)
