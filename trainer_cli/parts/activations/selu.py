"""Scaled exponential linear unit: a value in, a scaled `elu` of it out."""

from __future__ import annotations

import math

from trainer_cli.ir import language as ir
from trainer_cli.ir.graph import Value
from trainer_cli.parts.activation import Activation

ALPHA = 1.6732632423543772848170429916717
SCALE = 1.0507009873554804934193349852946


class Selu(Activation):
    """`1.0507 · elu(x, alpha=1.6733)`, element by element: the constants keep mean 0 and variance 1 from layer to layer
    (Klambauer, Unterthiner, Mayr and Hochreiter, "Self-normalizing neural networks", 2017)."""

    @property
    def interval(self) -> tuple[float, float]:
        return (-SCALE * ALPHA, math.inf)

    def apply(self, x: Value) -> Value:
        # Of equal operands the second one takes the gradient: at 0 it flows through the exponential alone.
        return ir.maximum(x, 0.0) * SCALE + ir.expm1(ir.minimum(0.0, x)) * (SCALE * ALPHA)
