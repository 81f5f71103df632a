"""Log-sigmoid: a value in, the logarithm of its sigmoid out."""

from __future__ import annotations

import math

from trainer_cli.ir.graph import Value
from trainer_cli.parts import formulas
from trainer_cli.parts.activation import Activation


class LogSigmoid(Activation):
    """`log(1 / (1 + exp(−x)))`, element by element, without loss of digits."""

    @property
    def interval(self) -> tuple[float, float]:
        return (-math.inf, 0.0)

    def apply(self, x: Value) -> Value:
        return -formulas.softplus(-x)
