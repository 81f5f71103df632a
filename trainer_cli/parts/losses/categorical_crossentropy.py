"""Categorical cross-entropy: one-hot targets and predicted probabilities (or logits) in, their cross-entropy out."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import Field

from trainer_cli.ir import language as ir
from trainer_cli.ir.graph import Value
from trainer_cli.parts import agreement, formulas
from trainer_cli.parts.loss import EPSILON, Finding, Loss, Prediction

ALIASES = ("cce",)


class CategoricalCrossentropy(Loss):
    """`−Σ y·log p` over the classes of the last axis; both `(batch, …, classes)`.

    With logits at hand, given or behind a softmax, `log p` is their log-softmax; otherwise p is divided by its sum and
    kept within [1e-7, 1 − 1e-7]. Smoothing s replaces y by `y·(1 − s) + s/classes`.
    """

    target = "one_hot"

    from_logits: bool = Field(default=False, description="the prediction is logits, not probabilities")
    recover_logits: bool = Field(
        default=True, description="whether the logits behind a softmax are used instead of its probabilities"
    )
    label_smoothing: float = Field(default=0.0, ge=0, le=1, description="how far targets move towards 1/classes")
    axis: int = Field(default=-1, description="the axis of the classes: the last one, which -1 is")

    def per_place(self, target: Value, prediction: Prediction) -> Value:
        if self.label_smoothing > 0:
            classes = agreement.units(prediction)
            target = target * (1.0 - self.label_smoothing) + self.label_smoothing / classes
        logits = prediction.value if self.from_logits else prediction.logits_behind("softmax", self.recover_logits)
        if logits is not None:
            logarithm = formulas.log_softmax(logits)
        else:
            probability = prediction.value / ir.reduce_sum(prediction.value, -1, keepdims=True)
            logarithm = ir.log(ir.clip(probability, EPSILON, 1.0 - EPSILON))
        return -ir.reduce_sum(target * logarithm, -1)

    def findings(self, prediction: Prediction) -> Sequence[Finding]:
        if found := agreement.along_another_axis(self.type, self.axis, prediction):
            return found
        if found := agreement.with_one_unit(prediction) or agreement.with_classes(self.type, prediction):
            return found
        return (agreement.with_logits if self.from_logits else agreement.with_probabilities)(self.type, prediction)
