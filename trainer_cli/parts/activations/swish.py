"""Swish: a value in, the value times its sigmoid out."""

from __future__ import annotations

import math

from trainer_cli.ir import language as ir
from trainer_cli.ir.graph import Value
from trainer_cli.parts.activation import Activation

ALIASES = ("silu", "si_lu")


class Swish(Activation):
    """`x · sigmoid(x)`, element by element (Ramachandran, Zoph and Le, "Searching for activation functions", 2017;
    as SiLU in Hendrycks and Gimpel, 2016)."""

    @property
    def interval(self) -> tuple[float, float]:
        return (-0.27847, math.inf)

    def apply(self, x: Value) -> Value:
        return x * ir.logistic(x)
