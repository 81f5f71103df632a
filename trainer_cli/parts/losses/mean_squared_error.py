"""Mean squared error: targets and predictions in, the mean square of their difference out."""

from __future__ import annotations

from collections.abc import Sequence

from trainer_cli.ir import language as ir
from trainer_cli.ir.graph import Value
from trainer_cli.parts import agreement
from trainer_cli.parts.formulas import mean_of_units
from trainer_cli.parts.loss import Finding, Loss, Prediction

ALIASES = ("mse",)


class MeanSquaredError(Loss):
    """`mean((y − ŷ)²)`; target and prediction: `(batch, …)`."""

    def per_place(self, target: Value, prediction: Prediction) -> Value:
        return mean_of_units(ir.square(prediction.value - target))

    def findings(self, prediction: Prediction) -> Sequence[Finding]:
        return agreement.with_one_unit(prediction) or agreement.with_values(self.type, prediction)
