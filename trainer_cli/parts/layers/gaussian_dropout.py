"""Gaussian dropout: a value in, the same value multiplied by random numbers around 1 out."""

from __future__ import annotations

import math

from pydantic import Field

from trainer_cli.ir.graph import Value
from trainer_cli.parts.layer import Layer, LayerScope
from trainer_cli.parts.noise import normal


class GaussianDropout(Layer):
    """During training multiplies by normally distributed numbers of mean 1 and standard deviation
    `√(rate / (1 − rate))`, which is that of `dropout`; afterwards passes its input on (Srivastava et al., "Dropout",
    2014, section 10). `(batch, …)` → the same shape.
    """

    mask_use = "keeps"

    rate: float = Field(ge=0, lt=1, description="the fraction that `dropout` would drop with noise of this size")

    def trace(self, scope: LayerScope, *inputs: Value) -> Value:
        (x,) = inputs
        if not scope.training or self.rate == 0:
            return x
        return x * (normal(scope, x) * math.sqrt(self.rate / (1.0 - self.rate)) + 1.0)
