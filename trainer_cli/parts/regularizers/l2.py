"""L2 regularizer: a weight in, a multiple of the sum of its squares out."""

from __future__ import annotations

from pydantic import Field

from trainer_cli.ir import language as ir
from trainer_cli.ir.graph import Value
from trainer_cli.parts.regularizer import Regularizer


class L2(Regularizer):
    """`l2 · Σw²`, without a factor 1/2, as in Keras (Hoerl and Kennard, "Ridge regression", 1970)."""

    l2: float = Field(default=0.01, ge=0, description="factor on the sum of squares")

    def penalty(self, weight: Value) -> Value:
        return ir.reduce_sum(ir.square(weight)) * self.l2
