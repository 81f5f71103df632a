"""Hard shrinkage: a value in, itself where it is large and 0 elsewhere out."""

from __future__ import annotations

import math

from pydantic import Field

from trainer_cli.ir import language as ir
from trainer_cli.ir.graph import Value
from trainer_cli.parts.activation import Activation


class HardShrink(Activation):
    """`x` where |x| > threshold, 0 elsewhere, element by element (Donoho and Johnstone, "Ideal spatial adaptation by
    wavelet shrinkage", 1994)."""

    threshold: float = Field(default=0.5, ge=0, description="magnitudes up to here become 0")

    @property
    def interval(self) -> tuple[float, float]:
        return (-math.inf, math.inf)

    def apply(self, x: Value) -> Value:
        return ir.select(ir.greater(ir.absolute(x), self.threshold), x, 0.0)
