"""Poisson: counts and predicted rates in, the negative log-likelihood of the counts out."""

from __future__ import annotations

from collections.abc import Sequence

from trainer_cli.ir import language as ir
from trainer_cli.ir.graph import Value
from trainer_cli.parts import agreement
from trainer_cli.parts.formulas import mean_of_units
from trainer_cli.parts.loss import EPSILON, Finding, Loss, Prediction


class Poisson(Loss):
    """`mean(ŷ − y·log(ŷ + 1e-7))`, the negative log-likelihood of counts y at rates ŷ but for a constant.

    Target and prediction: `(batch, …)`. The prediction must not be negative.
    """

    def per_place(self, target: Value, prediction: Prediction) -> Value:
        rate = prediction.value
        return mean_of_units(rate - target * ir.log(rate + EPSILON))

    def findings(self, prediction: Prediction) -> Sequence[Finding]:
        return agreement.with_one_unit(prediction) or agreement.with_rates(self.type, prediction)
