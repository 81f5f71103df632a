"""Tanh shrinkage: a value in, the same value less its tanh out."""

from __future__ import annotations

import math

from trainer_cli.ir import language as ir
from trainer_cli.ir.graph import Value
from trainer_cli.parts.activation import Activation


class TanhShrink(Activation):
    """`x − tanh(x)`, element by element."""

    @property
    def interval(self) -> tuple[float, float]:
        return (-math.inf, math.inf)

    def apply(self, x: Value) -> Value:
        return x - ir.tanh(x)
