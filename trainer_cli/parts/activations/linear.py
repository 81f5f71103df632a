"""Linear activation: a value in, the same value out."""

from __future__ import annotations

from trainer_cli.ir.graph import Value
from trainer_cli.parts.activation import Activation


class Linear(Activation):
    """The identity: `f(x) = x`."""

    def apply(self, x: Value) -> Value:
        return x
