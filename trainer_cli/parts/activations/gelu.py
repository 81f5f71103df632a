"""Gaussian error linear unit: a value in, the value times the normal distribution's share below it out."""

from __future__ import annotations

import math

from pydantic import Field

from trainer_cli.ir import language as ir
from trainer_cli.ir.graph import Value
from trainer_cli.parts import formulas
from trainer_cli.parts.activation import Activation


class Gelu(Activation):
    """`x · Φ(x)`, Φ being the normal distribution function, element by element (Hendrycks and Gimpel, "Gaussian error
    linear units", 2016). `approximate` takes the form with tanh, which is `gelu_new`."""

    approximate: bool = Field(default=False, description="use the form with tanh instead of the error function")

    @property
    def interval(self) -> tuple[float, float]:
        return (-0.17004, math.inf)

    def apply(self, x: Value) -> Value:
        if self.approximate:
            return formulas.gelu_with_tanh(x)
        return x * 0.5 * (ir.erf(x * math.sqrt(0.5)) + 1.0)
