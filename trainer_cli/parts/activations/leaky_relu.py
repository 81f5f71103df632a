"""Leaky ReLU: a value in, itself where positive and a small fraction of it elsewhere out."""

from __future__ import annotations

import math

from pydantic import Field

from trainer_cli.ir import language as ir
from trainer_cli.ir.graph import Value
from trainer_cli.parts.activation import Activation

ALIASES = ("leaky_re_lu",)


class LeakyRelu(Activation):
    """`x` where x ≥ 0, `negative_slope · x` elsewhere, element by element (Maas, Hannun and Ng, "Rectifier
    nonlinearities improve neural network acoustic models", 2013)."""

    negative_slope: float = Field(default=0.2, ge=0, description="slope where x is negative")

    @property
    def interval(self) -> tuple[float, float]:
        return (-math.inf if self.negative_slope > 0 else 0.0, math.inf)

    def apply(self, x: Value) -> Value:
        return ir.select(ir.greater_equal(x, 0.0), x, x * self.negative_slope)
