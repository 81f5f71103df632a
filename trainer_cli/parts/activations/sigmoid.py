"""Sigmoid: a value in, a number between 0 and 1 out."""

from __future__ import annotations

from trainer_cli.ir import language as ir
from trainer_cli.ir.graph import Value
from trainer_cli.parts.activation import Activation


class Sigmoid(Activation):
    """The logistic function `1 / (1 + exp(−x))`, element by element."""

    @property
    def interval(self) -> tuple[float, float]:
        return (0.0, 1.0)

    def apply(self, x: Value) -> Value:
        return ir.logistic(x)
