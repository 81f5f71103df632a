"""Log-cosh: targets and predictions in, the mean of the logarithm of their difference's hyperbolic cosine out."""

from __future__ import annotations

import math
from collections.abc import Sequence

from trainer_cli.ir.graph import Value
from trainer_cli.parts import agreement, formulas
from trainer_cli.parts.loss import Finding, Loss, Prediction

ALIASES = ("logcosh",)


class LogCosh(Loss):
    """`mean(log cosh(ŷ − y))`: half the square for small errors, the distance less log 2 for large ones.

    Target and prediction: `(batch, …)`. Computed as `e + softplus(−2e) − log 2`, which never overflows.
    """

    def per_place(self, target: Value, prediction: Prediction) -> Value:
        error = prediction.value - target
        return formulas.mean_of_units(error + formulas.softplus(error * -2.0) - math.log(2.0))

    def findings(self, prediction: Prediction) -> Sequence[Finding]:
        return agreement.with_one_unit(prediction) or agreement.with_values(self.type, prediction)
