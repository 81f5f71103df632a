"""Soft shrinkage: a value in, the same value moved towards 0 out."""

from __future__ import annotations

import math

from pydantic import Field

from trainer_cli.ir import language as ir
from trainer_cli.ir.graph import Value
from trainer_cli.parts.activation import Activation


class SoftShrink(Activation):
    """`x − threshold` where x > threshold, `x + threshold` where x < −threshold, 0 elsewhere, element by element
    (Donoho, "De-noising by soft-thresholding", 1995)."""

    threshold: float = Field(default=0.5, ge=0, description="how far values move; magnitudes up to here become 0")

    @property
    def interval(self) -> tuple[float, float]:
        return (-math.inf, math.inf)

    def apply(self, x: Value) -> Value:
        return x - ir.clip(x, -self.threshold, self.threshold)
