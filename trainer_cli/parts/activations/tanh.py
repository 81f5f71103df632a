"""Hyperbolic tangent: a value in, a number between −1 and 1 out."""

from __future__ import annotations

from trainer_cli.ir import language as ir
from trainer_cli.ir.graph import Value
from trainer_cli.parts.activation import Activation


class Tanh(Activation):
    """`(exp(x) − exp(−x)) / (exp(x) + exp(−x))`, element by element."""

    @property
    def interval(self) -> tuple[float, float]:
        return (-1.0, 1.0)

    def apply(self, x: Value) -> Value:
        return ir.tanh(x)
