"""Binary accuracy: targets 0 or 1 and predicted probabilities (or logits) in, the fraction that agrees out."""

from __future__ import annotations

from pydantic import Field

from trainer_cli.ir import language as ir
from trainer_cli.ir.graph import Value
from trainer_cli.parts.loss import Finding, Loss, Prediction, TargetForm
from trainer_cli.parts.mean_metric import MeanMetric
from trainer_cli.parts.metric import Metric, above, follows_logits


class BinaryAccuracy(MeanMetric):
    """The fraction of units whose thresholded prediction equals the target, every unit counting for itself.

    A unit is 1 where its probability exceeds `threshold`; logits are compared with the threshold's logit.
    """

    threshold: float = Field(default=0.5, ge=0, le=1, description="probability above which a prediction is 1")
    from_logits: bool | None = Field(
        default=None, description="the prediction is logits; as the loss has it if not given"
    )

    def resolve(self, loss: Loss, prediction: Prediction) -> Metric:
        return follows_logits(self, loss)

    def findings(self, target: TargetForm, prediction: Prediction) -> tuple[Finding, ...]:
        if target == "labels":
            hint = "use `accuracy` or `sparse_categorical_accuracy`"
            return (Finding("impossible", "`binary_accuracy` needs targets 0 or 1, not class numbers", hint),)
        if target == "values":
            message = "`binary_accuracy` compares predictions with 0 and 1, but the loss has targets of any value"
            return (Finding("doubtful", message, "use `mean_absolute_error`, or loss `binary_crossentropy`"),)
        return ()

    def each(self, target: Value, prediction: Prediction, form: TargetForm) -> Value:
        positive = above(prediction.value, self.threshold, self.from_logits)
        return ir.cast(ir.equal(ir.cast(positive, "float"), target), "float")
