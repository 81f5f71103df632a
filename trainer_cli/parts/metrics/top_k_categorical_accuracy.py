"""Top-k accuracy: one-hot targets and scores of classes in, how often the true class is among the best out."""

from __future__ import annotations

from pydantic import Field

from trainer_cli.ir.graph import Value
from trainer_cli.parts import formulas
from trainer_cli.parts.agreement import units
from trainer_cli.parts.loss import Finding, Prediction, TargetForm
from trainer_cli.parts.mean_metric import MeanMetric
from trainer_cli.parts.metric import class_findings, true_class


class TopKCategoricalAccuracy(MeanMetric):
    """The fraction of predictions in which fewer than `k` classes have a larger score than the true one."""

    k: int = Field(default=5, ge=1, description="how many of the best classes are looked at")

    def findings(self, target: TargetForm, prediction: Prediction) -> tuple[Finding, ...]:
        if found := class_findings(self.type, target, prediction):
            return found
        if self.k >= units(prediction):
            message = f"`{self.type}` looks at the best {self.k} of {units(prediction)} classes, so it is always 1"
            return (Finding("doubtful", message, "give a smaller `k`"),)
        return ()

    def each(self, target: Value, prediction: Prediction, form: TargetForm) -> Value:
        return formulas.among_best(prediction.value, true_class(target, form), self.k)
