"""L1 regularizer: a weight in, a multiple of the sum of its absolute values out."""

from __future__ import annotations

from pydantic import Field

from trainer_cli.ir import language as ir
from trainer_cli.ir.graph import Value
from trainer_cli.parts.regularizer import Regularizer


class L1(Regularizer):
    """`l1 · Σ|w|`, which drives weights to exactly 0 (Tibshirani, "Regression shrinkage and selection via the lasso",
    1996). The gradient is 0 where w is 0."""

    l1: float = Field(default=0.01, ge=0, description="factor on the sum of absolute values")

    def penalty(self, weight: Value) -> Value:
        return ir.reduce_sum(ir.absolute(weight)) * self.l1
