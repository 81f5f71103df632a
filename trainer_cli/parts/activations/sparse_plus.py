"""Sparse plus: a value in, a smooth form of its positive part that is 0 from −1 down out."""

from __future__ import annotations

import math

from trainer_cli.ir import language as ir
from trainer_cli.ir.graph import Value
from trainer_cli.parts.activation import Activation


class SparsePlus(Activation):
    """0 where x ≤ −1, `x` where x ≥ 1, `(x + 1)² / 4` between, element by element (as in JAX)."""

    @property
    def interval(self) -> tuple[float, float]:
        return (0.0, math.inf)

    def apply(self, x: Value) -> Value:
        return ir.square(ir.clip(x, -1.0, 1.0) + 1.0) * 0.25 + ir.maximum(x - 1.0, 0.0)
