"""Squareplus: a value in, a smooth form of its positive part without exponentials out."""

from __future__ import annotations

import math

from pydantic import Field

from trainer_cli.ir import language as ir
from trainer_cli.ir.graph import Value
from trainer_cli.parts.activation import Activation


class Squareplus(Activation):
    """`(x + √(x² + b)) / 2`, element by element (Barron, "Squareplus: a softplus-like algebraic rectifier", 2021)."""

    b: float = Field(default=4.0, gt=0, description="how round the corner at 0 is")

    @property
    def interval(self) -> tuple[float, float]:
        return (0.0, math.inf)

    def apply(self, x: Value) -> Value:
        # x² could overflow, and x + √(x² + b) would lose all digits where x is negative.
        magnitude = ir.absolute(x)
        size = ir.stop_gradient(ir.maximum(magnitude, math.sqrt(self.b)))
        root = size * ir.sqrt(ir.square(x / size) + ir.square(math.sqrt(self.b) / size))
        return (x * 0.5 + magnitude * 0.5) + self.b * 0.5 / (root + magnitude)
