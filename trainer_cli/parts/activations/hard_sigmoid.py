"""Hard sigmoid: a value in, a piecewise linear approximation of its sigmoid out."""

from __future__ import annotations

from pydantic import Field

from trainer_cli.ir import language as ir
from trainer_cli.ir.graph import Value
from trainer_cli.parts.activation import Activation


class HardSigmoid(Activation):
    """`clip(slope·x + 1/2, 0, 1)`, element by element (Courbariaux, Bengio and David, "BinaryConnect", 2015).

    The slope is 1/6 as in Keras 3 and PyTorch; TensorFlow.js has 0.2.
    """

    slope: float = Field(default=1.0 / 6.0, gt=0, description="slope between 0 and 1")

    @property
    def interval(self) -> tuple[float, float]:
        return (0.0, 1.0)

    def apply(self, x: Value) -> Value:
        return ir.clip(x * self.slope + 0.5, 0.0, 1.0)
