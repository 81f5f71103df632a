"""L1 and L2 regularizer: a weight in, multiples of the sums of its absolute values and of its squares out."""

from __future__ import annotations

from pydantic import Field

from trainer_cli.ir import language as ir
from trainer_cli.ir.graph import Value
from trainer_cli.parts.regularizer import Regularizer

ALIASES = ("l1l2",)


class L1L2(Regularizer):
    """`l1 · Σ|w| + l2 · Σw²` (Zou and Hastie, "Regularization and variable selection via the elastic net", 2005).

    Both factors are 0 unless given, as in Keras.
    """

    l1: float = Field(default=0.0, ge=0, description="factor on the sum of absolute values")
    l2: float = Field(default=0.0, ge=0, description="factor on the sum of squares")

    def penalty(self, weight: Value) -> Value:
        absolute = ir.reduce_sum(ir.absolute(weight)) * self.l1
        return absolute + ir.reduce_sum(ir.square(weight)) * self.l2
