"""Hard tanh: a value in, the value limited to between −1 and 1 out."""

from __future__ import annotations

from trainer_cli.ir import language as ir
from trainer_cli.ir.graph import Value
from trainer_cli.parts.activation import Activation


class HardTanh(Activation):
    """`min(max(x, −1), 1)`, element by element (Collobert, "Large scale machine learning", 2004)."""

    @property
    def interval(self) -> tuple[float, float]:
        return (-1.0, 1.0)

    def apply(self, x: Value) -> Value:
        return ir.clip(x, -1.0, 1.0)
