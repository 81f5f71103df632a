"""Binary cross-entropy: targets 0 or 1 and predicted probabilities (or logits) in, their cross-entropy out."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import Field

from trainer_cli.ir import language as ir
from trainer_cli.ir.graph import Value
from trainer_cli.parts import agreement, formulas
from trainer_cli.parts.loss import EPSILON, Finding, Loss, Prediction

ALIASES = ("bce",)


class BinaryCrossentropy(Loss):
    """`−mean(y·log p + (1 − y)·log(1 − p))`, every unit being a yes or no of its own; both `(batch, …)`.

    With logits z at hand, given or behind a sigmoid, it is computed as `softplus(z) − y·z`, which neither overflows
    nor loses digits; otherwise p is kept within [1e-7, 1 − 1e-7]. Smoothing s replaces y by `y·(1 − s) + s/2`.
    """

    target = "binary"

    from_logits: bool = Field(default=False, description="the prediction is logits, not probabilities")
    recover_logits: bool = Field(
        default=True, description="whether the logits behind a sigmoid are used instead of its probabilities"
    )
    label_smoothing: float = Field(default=0.0, ge=0, le=1, description="how far targets move towards 1/2")
    axis: int = Field(default=-1, description="the axis of the units: the last one, which -1 is")

    def per_place(self, target: Value, prediction: Prediction) -> Value:
        target = formulas.smoothed(target, self.label_smoothing)
        logits = prediction.value if self.from_logits else prediction.logits_behind("sigmoid", self.recover_logits)
        if logits is not None:
            return formulas.mean_of_units(formulas.softplus(logits) - target * logits)
        probability = ir.clip(prediction.value, EPSILON, 1.0 - EPSILON)
        entropy = target * ir.log(probability) + (1.0 - target) * ir.log(1.0 - probability)
        return formulas.mean_of_units(-entropy)

    def findings(self, prediction: Prediction) -> Sequence[Finding]:
        if found := agreement.along_another_axis(self.type, self.axis, prediction):
            return found
        if self.from_logits:
            return agreement.with_logits(self.type, prediction)
        return agreement.with_one_unit(prediction) or agreement.with_probabilities(self.type, prediction)
