"""Mean squared logarithmic error: amounts and predictions in, the mean square of their logarithms' difference out."""

from __future__ import annotations

from collections.abc import Sequence

from trainer_cli.ir import language as ir
from trainer_cli.ir.graph import Value
from trainer_cli.parts import agreement
from trainer_cli.parts.formulas import mean_of_units
from trainer_cli.parts.loss import EPSILON, Finding, Loss, Prediction

ALIASES = ("msle",)


class MeanSquaredLogarithmicError(Loss):
    """`mean((log(1 + y) − log(1 + ŷ))²)`; target and prediction: `(batch, …)`, both taken as at least 1e-7."""

    def per_place(self, target: Value, prediction: Prediction) -> Value:
        found, wanted = (ir.log1p(ir.maximum(x, EPSILON)) for x in (prediction.value, target))
        return mean_of_units(ir.square(found - wanted))

    def findings(self, prediction: Prediction) -> Sequence[Finding]:
        return agreement.with_one_unit(prediction) or agreement.with_amounts(self.type, prediction)
