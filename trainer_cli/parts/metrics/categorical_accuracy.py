"""Categorical accuracy: one-hot targets and scores of classes in, the fraction whose best class is right out."""

from __future__ import annotations

from collections.abc import Mapping

from trainer_cli.ir import language as ir
from trainer_cli.ir.graph import Value
from trainer_cli.lazy import NDArray, np
from trainer_cli.parts.loss import Finding, Prediction, TargetForm
from trainer_cli.parts.metric import Metric, class_findings, fraction, mean_statistics, true_class


class CategoricalAccuracy(Metric):
    """The fraction of predictions whose largest score is the target's class; the first of equal scores counts."""

    def findings(self, target: TargetForm, prediction: Prediction) -> tuple[Finding, ...]:
        return class_findings(self.type, target, prediction)

    def statistics(
        self, target: Value, prediction: Prediction, form: TargetForm, weights: Value | None = None
    ) -> dict[str, Value]:
        right = ir.equal(ir.argmax(prediction.value), true_class(target, form))
        return mean_statistics(ir.cast(right, "float"), weights)

    def result(self, totals: Mapping[str, NDArray[np.float64]]) -> float:
        return fraction(totals)
