"""Metrics that are means of a loss: targets and a prediction in, the loss's sum over counted places out."""

from __future__ import annotations

from typing import ClassVar

from trainer_cli.ir.graph import Value
from trainer_cli.parts.families import LOSSES, read_part
from trainer_cli.parts.loss import Finding, Loss, Prediction, TargetForm
from trainer_cli.parts.mean_metric import MeanMetric
from trainer_cli.parts.metric import Metric, as_indicators, class_findings, follows_logits, true_class


class LossMetric(MeanMetric):
    """The mean of a loss over the epoch, without regularization: the loss of the same name, with the same arguments.

    Class numbers are compared as one-hot indicators, unless the loss itself is one of class numbers.
    """

    direction = "min"

    measured: ClassVar[str | None] = None
    """The loss, where the metric is called otherwise."""

    def loss(self) -> Loss:
        """The loss that is measured, with the arguments of this metric."""
        arguments = self.model_dump(exclude={"name", "weighted"}, exclude_none=True)
        loss = read_part(LOSSES, {**arguments, "type": self.measured or self.type})
        assert isinstance(loss, Loss)
        return loss

    def resolve(self, loss: Loss, prediction: Prediction) -> Metric:
        metric = follows_logits(self, loss) if "from_logits" in type(self).model_fields else self
        if getattr(metric, "recover_logits", True) is not None:
            return metric
        return metric.model_copy(update={"recover_logits": getattr(loss, "recover_logits", True)})

    def findings(self, target: TargetForm, prediction: Prediction) -> tuple[Finding, ...]:
        measured = self.loss()
        if measured.target in ("labels", "one_hot") and (found := class_findings(self.type, target, prediction)):
            return found
        found = tuple(each for each in measured.findings(prediction) if each.severity == "impossible")
        if not found and measured.target == "binary" and target == "values":
            message = f"`{self.type}` measures answers yes or no, but the loss has targets of any value"
            return (Finding("doubtful", message, "right only for targets that are 0 or 1"),)
        return found

    def each(self, target: Value, prediction: Prediction, form: TargetForm) -> Value:
        return self.loss().per_place(self._given(target, prediction, form), prediction)

    def statistics(
        self, target: Value, prediction: Prediction, form: TargetForm, weights: Value | None = None
    ) -> dict[str, Value]:
        counted = self.loss().counted(self._given(target, prediction, form))
        if counted is not None:
            weights = counted if weights is None else weights * counted
        return super().statistics(target, prediction, form, weights)

    def _given(self, target: Value, prediction: Prediction, form: TargetForm) -> Value:
        """Targets in the form that the loss takes."""
        return true_class(target, form) if self.loss().target == "labels" else as_indicators(target, prediction, form)
