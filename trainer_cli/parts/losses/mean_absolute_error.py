"""Mean absolute error: targets and predictions in, the mean of their distance out."""

from __future__ import annotations

from collections.abc import Sequence

from trainer_cli.ir import language as ir
from trainer_cli.ir.graph import Value
from trainer_cli.parts import agreement
from trainer_cli.parts.formulas import mean_of_units
from trainer_cli.parts.loss import Finding, Loss, Prediction

ALIASES = ("mae",)


class MeanAbsoluteError(Loss):
    """`mean(|y − ŷ|)`; target and prediction: `(batch, …)`. The gradient is 0 where they are equal."""

    def per_place(self, target: Value, prediction: Prediction) -> Value:
        return mean_of_units(ir.absolute(prediction.value - target))

    def findings(self, prediction: Prediction) -> Sequence[Finding]:
        return agreement.with_one_unit(prediction) or agreement.with_values(self.type, prediction)
