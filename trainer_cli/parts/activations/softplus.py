"""Softplus: a value in, a smooth form of its positive part out."""

from __future__ import annotations

import math

from trainer_cli.ir.graph import Value
from trainer_cli.parts import formulas
from trainer_cli.parts.activation import Activation


class Softplus(Activation):
    """`log(1 + exp(x))`, element by element (Dugas, Bengio, Bélisle, Nadeau and Garcia, "Incorporating second-order
    functional knowledge for better option pricing", 2001)."""

    @property
    def interval(self) -> tuple[float, float]:
        return (0.0, math.inf)

    def apply(self, x: Value) -> Value:
        return formulas.softplus(x)
