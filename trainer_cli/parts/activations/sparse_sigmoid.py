"""Sparse sigmoid: a value in, a number between 0 and 1 that reaches both out."""

from __future__ import annotations

from trainer_cli.ir import language as ir
from trainer_cli.ir.graph import Value
from trainer_cli.parts.activation import Activation


class SparseSigmoid(Activation):
    """`clip(x/2 + 1/2, 0, 1)`, element by element: `sparsemax` of the pair (x, 0), halved (as in JAX)."""

    @property
    def interval(self) -> tuple[float, float]:
        return (0.0, 1.0)

    def apply(self, x: Value) -> Value:
        return ir.clip(x, -1.0, 1.0) * 0.5 + 0.5
