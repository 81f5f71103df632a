"""Mish: a value in, the value times the tanh of its softplus out."""

from __future__ import annotations

import math

from trainer_cli.ir import language as ir
from trainer_cli.ir.graph import Value
from trainer_cli.parts import formulas
from trainer_cli.parts.activation import Activation


class Mish(Activation):
    """`x · tanh(softplus(x))`, element by element (Misra, "Mish: a self regularized non-monotonic activation function",
    2019)."""

    @property
    def interval(self) -> tuple[float, float]:
        return (-0.30885, math.inf)

    def apply(self, x: Value) -> Value:
        return x * ir.tanh(formulas.softplus(x))
