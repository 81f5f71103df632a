"""ReLU6: a value in, the value limited to between 0 and 6 out."""

from __future__ import annotations

from trainer_cli.ir import language as ir
from trainer_cli.ir.graph import Value
from trainer_cli.parts.activation import Activation

ALIASES = ("re_lu6",)


class Relu6(Activation):
    """`min(max(x, 0), 6)`, element by element (Krizhevsky, "Convolutional deep belief networks on CIFAR-10", 2010)."""

    @property
    def interval(self) -> tuple[float, float]:
        return (0.0, 6.0)

    def apply(self, x: Value) -> Value:
        return ir.clip(x, 0.0, 6.0)
