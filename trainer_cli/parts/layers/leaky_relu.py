"""Leaky ReLU: a value in, itself where positive and a small fraction of it elsewhere out."""

from __future__ import annotations

from pydantic import Field

from trainer_cli.ir.graph import Value
from trainer_cli.parts.activations import leaky_relu
from trainer_cli.parts.layer import Layer, LayerScope

ALIASES = ("leaky_re_lu",)


class LeakyRelu(Layer):
    """`x` where x ≥ 0, `negative_slope · x` elsewhere, element by element (Maas, Hannun and Ng, "Rectifier
    nonlinearities improve neural network acoustic models", 2013). `(batch, …)` → the same shape.
    """

    mask_use = "keeps"

    negative_slope: float = Field(default=0.3, ge=0, description="slope where x is negative")

    def trace(self, scope: LayerScope, *inputs: Value) -> Value:
        (x,) = inputs
        return scope.activate(leaky_relu.LeakyRelu(negative_slope=self.negative_slope), x)
