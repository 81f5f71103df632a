"""Generalized cross-entropy: class numbers and predicted probabilities in, how far the class's is below 1 out."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import Field

from trainer_cli.ir.graph import Value
from trainer_cli.parts import agreement, formulas
from trainer_cli.parts.loss import Finding, Loss, Prediction

ALIASES = ("categorical_generalized_crossentropy", "generalized_cross_entropy")


class CategoricalGeneralizedCrossEntropy(Loss):
    """`(1 − p[y]^q) / q`, for class numbers 0 … classes − 1 of which some are wrong: between categorical cross-entropy,
    where q is near 0, and a distance, where it is near 1 (Zhang and Sabuncu, "Generalized cross entropy loss for
    training deep neural networks with noisy labels", 2018). Target `(batch, …)`, prediction `(batch, …, classes)`.
    """

    target = "labels"

    q: float = Field(default=0.5, gt=0, lt=1, description="how little a class counts of which the model is not sure")

    def per_place(self, target: Value, prediction: Prediction) -> Value:
        chosen = formulas.at_label(prediction.value, target)
        return (1.0 - formulas.power(chosen, self.q)) / self.q

    def findings(self, prediction: Prediction) -> Sequence[Finding]:
        found = agreement.with_one_unit(prediction) or agreement.with_classes(self.type, prediction)
        return found or agreement.with_probabilities(self.type, prediction)
