"""Huber: targets and predictions in, the mean of a square for small and a distance for large differences out."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import Field

from trainer_cli.ir import language as ir
from trainer_cli.ir.graph import Value
from trainer_cli.parts import agreement
from trainer_cli.parts.formulas import mean_of_units
from trainer_cli.parts.loss import Finding, Loss, Prediction

ALIASES = ("huber_loss",)


class Huber(Loss):
    """`mean(e²/2 where |e| ≤ δ, else δ·|e| − δ²/2)` of the errors `e = ŷ − y`; both `(batch, …)`.

    Huber, "Robust estimation of a location parameter", 1964.
    """

    delta: float = Field(default=1.0, gt=0, description="where the loss changes from a square to a distance")

    def per_place(self, target: Value, prediction: Prediction) -> Value:
        error = ir.absolute(prediction.value - target)
        inside = ir.minimum(error, self.delta)
        # min(e, δ)²/2 + δ·(e − min(e, δ)) is both branches in one.
        return mean_of_units(ir.square(inside) * 0.5 + (error - inside) * self.delta)

    def findings(self, prediction: Prediction) -> Sequence[Finding]:
        return agreement.with_one_unit(prediction) or agreement.with_values(self.type, prediction)
