"""Mean absolute percentage error: targets and predictions in, the mean of their distance in percent out."""

from __future__ import annotations

from collections.abc import Sequence

from trainer_cli.ir import language as ir
from trainer_cli.ir.graph import Value
from trainer_cli.parts import agreement
from trainer_cli.parts.formulas import mean_of_units
from trainer_cli.parts.loss import EPSILON, Finding, Loss, Prediction

ALIASES = ("mape",)


class MeanAbsolutePercentageError(Loss):
    """`100 · mean(|y − ŷ| / max(|y|, 1e-7))`; target and prediction: `(batch, …)`.

    Targets near 0 make it as large as 1e9: it measures amounts that are not.
    """

    def per_place(self, target: Value, prediction: Prediction) -> Value:
        scale = ir.maximum(ir.absolute(target), EPSILON)
        return mean_of_units(ir.absolute(prediction.value - target) / scale) * 100.0

    def findings(self, prediction: Prediction) -> Sequence[Finding]:
        return agreement.with_one_unit(prediction) or agreement.with_values(self.type, prediction)
