"""Kullback–Leibler divergence: two distributions over classes in, how much the first differs from the second out."""

from __future__ import annotations

from collections.abc import Sequence

from trainer_cli.ir import language as ir
from trainer_cli.ir.graph import Value
from trainer_cli.parts import agreement, formulas
from trainer_cli.parts.loss import EPSILON, Finding, Loss, Prediction

ALIASES = ("kld", "kullback_leibler_divergence")


class KlDivergence(Loss):
    """`Σ y·log(y / p)` over the classes of the last axis, y and p kept within [1e-7, 1]; both `(batch, …, classes)`.

    With the logits behind a softmax at hand, `log p` is their log-softmax, so that a sure and wrong answer keeps its
    gradient. Targets are distributions: one column per class, or class names, which are certain.
    """

    target = "one_hot"

    def per_place(self, target: Value, prediction: Prediction) -> Value:
        wanted = ir.clip(target, EPSILON, 1.0)
        logits = prediction.logits_behind("softmax")
        if logits is not None:
            logarithm = formulas.log_softmax(logits)
        else:
            logarithm = ir.log(ir.clip(prediction.value, EPSILON, 1.0))
        return ir.reduce_sum(wanted * (ir.log(wanted) - logarithm), -1)

    def findings(self, prediction: Prediction) -> Sequence[Finding]:
        if found := agreement.with_one_unit(prediction) or agreement.with_classes(self.type, prediction):
            return found
        return agreement.with_probabilities(self.type, prediction)
