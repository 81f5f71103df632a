"""Hard sigmoid: a value in, a piecewise linear approximation of its sigmoid out."""

from __future__ import annotations

from trainer_cli.ir import language as ir
from trainer_cli.ir.graph import Value
from trainer_cli.parts.activation import Activation


class HardSigmoid(Activation):
    """`clip(x/6 + 1/2, 0, 1)`, element by element, as in Keras 3 (TensorFlow.js has `clip(x/5 + 1/2, 0, 1)`;
    Courbariaux, Bengio and David, "BinaryConnect", 2015)."""

    @property
    def interval(self) -> tuple[float, float]:
        return (0.0, 1.0)

    def apply(self, x: Value) -> Value:
        return ir.clip(x * (1.0 / 6.0) + 0.5, 0.0, 1.0)
