"""Rectified linear unit: a value in, its positive part out."""

from __future__ import annotations

import math

from pydantic import Field

from trainer_cli.ir import language as ir
from trainer_cli.ir.graph import Value
from trainer_cli.parts.activation import Activation

ALIASES = ("re_lu",)


class Relu(Activation):
    """`max(x, 0)`, element by element (Nair and Hinton, "Rectified linear units improve restricted Boltzmann
    machines", 2010).

    With all arguments, as in Keras: `max_value` where x ≥ max_value, x where threshold < x < max_value, and
    `negative_slope · (x − threshold)` where x ≤ threshold.
    """

    max_value: float | None = Field(default=None, ge=0, description="largest result; none if null")
    negative_slope: float = Field(default=0.0, ge=0, description="slope below the threshold")
    threshold: float = Field(default=0.0, ge=0, description="values up to here count as negative")

    @property
    def interval(self) -> tuple[float, float]:
        low = 0.0 if self.negative_slope == 0 else -math.inf
        return (low, math.inf if self.max_value is None else self.max_value)

    def apply(self, x: Value) -> Value:
        if self.threshold == 0:
            positive = ir.maximum(x, 0.0)
        else:
            positive = ir.select(ir.greater(x, self.threshold), x, 0.0)
        if self.max_value is not None:
            positive = ir.minimum(positive, self.max_value)
        if self.negative_slope == 0:
            return positive
        return positive - ir.maximum(self.threshold - x, 0.0) * self.negative_slope
