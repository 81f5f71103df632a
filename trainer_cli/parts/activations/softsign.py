"""Softsign: a value in, a number between −1 and 1 out."""

from __future__ import annotations

from trainer_cli.ir import language as ir
from trainer_cli.ir.graph import Value
from trainer_cli.parts.activation import Activation


class Softsign(Activation):
    """`x / (1 + |x|)`, element by element (Bergstra, Desjardins, Lamblin and Bengio, "Quadratic polynomials learn
    better image features", 2009)."""

    @property
    def interval(self) -> tuple[float, float]:
        return (-1.0, 1.0)

    def apply(self, x: Value) -> Value:
        return x / (ir.absolute(x) + 1.0)
