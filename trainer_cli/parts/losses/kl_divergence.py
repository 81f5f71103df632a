"""Kullback–Leibler divergence: two distributions over classes in, how much the first differs from the second out."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import Field

from trainer_cli.ir import language as ir
from trainer_cli.ir.graph import Value
from trainer_cli.parts import agreement, formulas
from trainer_cli.parts.loss import EPSILON, Finding, Loss, Prediction

ALIASES = ("kld", "kullback_leibler_divergence")


class KlDivergence(Loss):
    """`Σ y·log(y / p)` over the classes of the last axis, y and p kept within [1e-7, 1]; both `(batch, …, classes)`.

    The y before the logarithm is kept there too as in Keras, unless `clip_factor` is false.

    With the logits behind a softmax at hand, `log p` is their log-softmax, so that a sure and wrong answer keeps its
    gradient. Targets are distributions: one column per class, or class names, which are certain.
    """

    target = "one_hot"

    recover_logits: bool = Field(
        default=True, description="whether the logits behind a softmax are used instead of its probabilities"
    )
    clip_factor: bool = Field(default=True, description="whether y is at least 1e-7 outside of the logarithm too")

    def per_place(self, target: Value, prediction: Prediction) -> Value:
        wanted = ir.clip(target, EPSILON, 1.0)
        logits = prediction.logits_behind("softmax", self.recover_logits)
        if logits is not None:
            logarithm = formulas.log_softmax(logits)
        else:
            logarithm = ir.log(ir.clip(prediction.value, EPSILON, 1.0))
        return ir.reduce_sum((wanted if self.clip_factor else target) * (ir.log(wanted) - logarithm), -1)

    def findings(self, prediction: Prediction) -> Sequence[Finding]:
        if found := agreement.with_one_unit(prediction) or agreement.with_classes(self.type, prediction):
            return found
        return agreement.with_probabilities(self.type, prediction)
