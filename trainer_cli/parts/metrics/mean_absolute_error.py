"""Mean absolute error: targets and predictions in, the mean of their distance over the epoch out."""

from __future__ import annotations

from trainer_cli.ir import language as ir
from trainer_cli.ir.graph import Value
from trainer_cli.parts.loss import Prediction, TargetForm
from trainer_cli.parts.mean_metric import MeanMetric
from trainer_cli.parts.metric import as_indicators

ALIASES = ("mae",)


class MeanAbsoluteError(MeanMetric):
    """`mean(|y − ŷ|)` over all samples and units; class numbers are compared as one-hot indicators."""

    direction = "min"

    def each(self, target: Value, prediction: Prediction, form: TargetForm) -> Value:
        return ir.absolute(prediction.value - as_indicators(target, prediction, form))
