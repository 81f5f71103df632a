"""Binary intersection over union: targets 0 or 1 and probabilities in, the overlap of found and true units out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from pydantic import Field

from trainer_cli.ir import language as ir
from trainer_cli.ir.graph import Value
from trainer_cli.lazy import NDArray, np
from trainer_cli.parts import agreement
from trainer_cli.parts.intersection import mean_over_union, sums
from trainer_cli.parts.loss import Finding, Loss, Prediction, TargetForm
from trainer_cli.parts.metric import Metric, as_indicators, follows_logits
from trainer_cli.parts.part import IntegerList

ALIASES = ("binary_io_u",)


class BinaryIou(Metric):
    """`TP / (TP + FP + FN)` of the answers no (class 0) and yes (class 1), averaged over the two or one of them.

    Every unit counts for itself; it is a yes where its probability is at least `threshold`.
    """

    target_class_ids: Annotated[IntegerList, Field(min_length=1)] = Field(
        default=(0, 1), description="the answers to measure: 0 for no, 1 for yes"
    )
    threshold: float = Field(default=0.5, ge=0, le=1, description="probability from which a unit counts as positive")
    from_logits: bool | None = Field(
        default=None, description="the prediction is logits; as the loss has it if not given"
    )

    def resolve(self, loss: Loss, prediction: Prediction) -> Metric:
        return follows_logits(self, loss)

    def findings(self, target: TargetForm, prediction: Prediction) -> tuple[Finding, ...]:
        if wrong := [each for each in self.target_class_ids if each not in (0, 1)]:
            message = f"`{self.type}` measures class {wrong[0]}, but there are 0 for no and 1 for yes"
            return (Finding("impossible", message, "use `mean_iou` or `iou` for several classes"),)
        if target == "values":
            message = f"`{self.type}` measures answers yes or no, but the loss has targets of any value"
            return (Finding("doubtful", message, "right only for targets that are 0 or 1"),)
        if target != "binary" and agreement.units(prediction) > 1:
            message = f"`{self.type}` takes every unit for itself, but one of the classes is right"
            return (Finding("doubtful", message, "use `mean_iou` for several classes"),)
        return ()

    def statistics(
        self, target: Value, prediction: Prediction, form: TargetForm, weights: Value | None = None
    ) -> dict[str, Value]:
        score = ir.logistic(prediction.value) if self.from_logits else prediction.value
        yes = ir.cast(ir.greater_equal(score, self.threshold), "float")
        truth = as_indicators(target, prediction, form)
        if weights is not None:
            weights = ir.broadcast_to(ir.reshape(weights, (*weights.shape, 1)), yes.shape)
        found, true = (ir.reshape(each, (*each.shape, 1)) for each in (yes, truth))
        found, true = (ir.concatenate([1.0 - each, each], -1) for each in (found, true))
        return sums(found, true, weights)

    def result(self, totals: Mapping[str, NDArray[np.float64]]) -> float:
        return mean_over_union(totals, self.target_class_ids)
