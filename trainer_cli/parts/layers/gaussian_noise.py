"""Gaussian noise: a value in, the same value with normally distributed numbers added out."""

from __future__ import annotations

from pydantic import Field

from trainer_cli.ir.graph import Value
from trainer_cli.parts.layer import Layer, LayerScope
from trainer_cli.parts.noise import normal


class GaussianNoise(Layer):
    """During training adds normally distributed numbers of mean 0; afterwards passes its input on (Bishop, "Training
    with noise is equivalent to Tikhonov regularization", 1995). `(batch, …)` → the same shape.
    """

    mask_use = "keeps"

    stddev: float = Field(ge=0, description="standard deviation of the noise")

    def trace(self, scope: LayerScope, *inputs: Value) -> Value:
        (x,) = inputs
        return x + normal(scope, x) * self.stddev if scope.training and self.stddev > 0 else x
