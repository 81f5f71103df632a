"""Continuously differentiable exponential linear unit: a value in, itself or a saturating exponential out."""

from __future__ import annotations

import math

from pydantic import Field

from trainer_cli.ir import language as ir
from trainer_cli.ir.graph import Value
from trainer_cli.parts.activation import Activation


class Celu(Activation):
    """`x` where x > 0, `alpha · (exp(x / alpha) − 1)` elsewhere, element by element (Barron, "Continuously
    differentiable exponential linear units", 2017)."""

    alpha: float = Field(default=1.0, gt=0, description="the value that the function approaches below, negated")

    @property
    def interval(self) -> tuple[float, float]:
        return (-self.alpha, math.inf)

    def apply(self, x: Value) -> Value:
        # Of equal operands the second one takes the gradient: at 0 it flows through the exponential alone.
        return ir.maximum(x, 0.0) + ir.expm1(ir.minimum(0.0, x * (1.0 / self.alpha))) * self.alpha
