"""Sparse categorical cross-entropy: class numbers and predicted probabilities (or logits) in, cross-entropy out."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import Field

from trainer_cli.ir import language as ir
from trainer_cli.ir.graph import Value
from trainer_cli.parts import agreement, formulas
from trainer_cli.parts.loss import EPSILON, Finding, Loss, Prediction

ALIASES = ("scce",)


class SparseCategoricalCrossentropy(Loss):
    """`−log p[y]`: categorical cross-entropy with class numbers 0 … classes − 1 instead of indicators.

    Target `(batch, …)`, prediction `(batch, …, classes)`. Logits are used as in `categorical_crossentropy`.
    """

    target = "labels"

    from_logits: bool = Field(default=False, description="the prediction is logits, not probabilities")
    recover_logits: bool = Field(
        default=True, description="whether the logits behind a softmax are used instead of its probabilities"
    )
    ignore_class: int | None = Field(
        default=None,
        description="the class of places that are left out, such as what nobody has named: one of the output's, or any "
        "other whole number, such as -1 or 255",
    )
    axis: int = Field(default=-1, description="the axis of the classes: the last one, which -1 is")

    @property
    def ignored(self) -> int | None:
        return self.ignore_class

    def counted(self, target: Value) -> Value | None:
        return None if self.ignore_class is None else ir.cast(ir.not_equal(target, self.ignore_class), "float")

    def per_place(self, target: Value, prediction: Prediction) -> Value:
        logits = prediction.value if self.from_logits else prediction.logits_behind("softmax", self.recover_logits)
        if logits is not None:
            shifted = formulas.shifted(logits)
            chosen = formulas.at_label(shifted, target)
            return ir.log(ir.reduce_sum(ir.exp(shifted), -1)) - chosen
        probability = prediction.value / ir.reduce_sum(prediction.value, -1, keepdims=True)
        chosen = formulas.at_label(probability, target)
        return -ir.log(ir.clip(chosen, EPSILON, 1.0 - EPSILON))

    def findings(self, prediction: Prediction) -> Sequence[Finding]:
        if found := agreement.along_another_axis(self.type, self.axis, prediction):
            return found
        if found := agreement.with_one_unit(prediction) or agreement.with_classes(self.type, prediction):
            return found
        return (agreement.with_logits if self.from_logits else agreement.with_probabilities)(self.type, prediction)
