"""Exponential: a value in, e to its power out."""

from __future__ import annotations

import math

from trainer_cli.ir import language as ir
from trainer_cli.ir.graph import Value
from trainer_cli.parts.activation import Activation

ALIASES = ("exp",)


class Exponential(Activation):
    """`exp(x)`, element by element."""

    @property
    def interval(self) -> tuple[float, float]:
        return (0.0, math.inf)

    def apply(self, x: Value) -> Value:
        return ir.exp(x)
