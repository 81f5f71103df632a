"""Log-softmax: logits along one axis in, the logarithms of their probabilities out."""

from __future__ import annotations

import math

from pydantic import Field

from trainer_cli.ir.graph import Value
from trainer_cli.ir.primitive import Shape
from trainer_cli.parts import formulas
from trainer_cli.parts.activation import Activation


class LogSoftmax(Activation):
    """`x − log Σ exp(x)` along an axis: the logarithm of `softmax`, without loss of digits."""

    axis: int = Field(default=-1, description="axis along which exp of the result sums to 1, the batch axis being 0")

    @property
    def interval(self) -> tuple[float, float]:
        return (-math.inf, 0.0)

    def misfit(self, shape: Shape) -> str | None:
        return formulas.misfit_axis(self.type, self.axis, shape)

    def apply(self, x: Value) -> Value:
        return formulas.log_softmax(x, self.axis)
