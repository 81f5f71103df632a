"""Categorical accuracy: one-hot targets and scores of classes in, the fraction whose best class is right out."""

from __future__ import annotations

from trainer_cli.ir import language as ir
from trainer_cli.ir.graph import Value
from trainer_cli.parts.loss import Finding, Prediction, TargetForm
from trainer_cli.parts.mean_metric import MeanMetric
from trainer_cli.parts.metric import class_findings, true_class


class CategoricalAccuracy(MeanMetric):
    """The fraction of predictions whose largest score is the target's class; the first of equal scores counts."""

    def findings(self, target: TargetForm, prediction: Prediction) -> tuple[Finding, ...]:
        return class_findings(self.type, target, prediction)

    def each(self, target: Value, prediction: Prediction, form: TargetForm) -> Value:
        right = ir.equal(ir.argmax(prediction.value), true_class(target, form))
        return ir.cast(right, "float")
