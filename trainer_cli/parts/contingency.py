"""Agreement beyond chance: targets and decisions in, the sums that correlation coefficients of classes need out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from pydantic import Field

from trainer_cli.ir import language as ir
from trainer_cli.ir.graph import Value
from trainer_cli.lazy import NDArray, np
from trainer_cli.parts import agreement
from trainer_cli.parts.confusion import by_class
from trainer_cli.parts.loss import Finding, Loss, Prediction, TargetForm
from trainer_cli.parts.metric import Metric, above, as_indicators, follows_logits


class Contingency(NamedTuple):
    """All decisions, the right ones, and how often each class is found and true."""

    decisions: float
    right: float
    found: NDArray[np.float64]
    true: NDArray[np.float64]


class ContingencyMetric(Metric):
    """A measure of one decision per place: the class with the largest score, or yes where one unit exceeds 1/2."""

    from_logits: bool | None = Field(
        default=None, description="the prediction is logits; as the loss has it if not given"
    )

    def resolve(self, loss: Loss, prediction: Prediction) -> Metric:
        return follows_logits(self, loss)

    def findings(self, target: TargetForm, prediction: Prediction) -> tuple[Finding, ...]:
        if target == "values":
            message = f"`{self.type}` compares classes, but the loss has targets of any value"
            return (Finding("impossible", message, "use a cross-entropy loss, or `mean_absolute_error` as metric"),)
        if target == "binary" and agreement.units(prediction) > 1:
            message = f"`{self.type}` needs one true class per sample, but every unit is a yes or no of its own"
            return (Finding("impossible", message, "use `f1_score`, or a loss of one class per sample"),)
        return ()

    def statistics(
        self, target: Value, prediction: Prediction, form: TargetForm, weights: Value | None = None
    ) -> dict[str, Value]:
        score, true = prediction.value, as_indicators(target, prediction, form)
        if agreement.units(prediction) > 1:
            found = ir.one_hot(ir.argmax(score), agreement.units(prediction))
        else:
            yes = ir.cast(above(score, 0.5, self.from_logits), "float")
            found, true = (ir.concatenate([1.0 - each, each], -1) for each in (yes, true))
        return {
            "right": ir.reduce_sum(by_class(found * true, weights)),
            "found": by_class(found, weights),
            "true": by_class(true, weights),
        }

    def contingency(self, totals: Mapping[str, NDArray[np.float64]]) -> Contingency:
        """The epoch's decisions from its totals."""
        true = totals["true"]
        return Contingency(float(true.sum()), float(totals["right"]), totals["found"], true)
