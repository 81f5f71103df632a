"""Thresholded ReLU: a value in, itself above a threshold and 0 elsewhere out."""

from __future__ import annotations

from pydantic import Field

from trainer_cli.ir.graph import Value
from trainer_cli.parts.activations import relu
from trainer_cli.parts.layer import Layer, LayerScope

ALIASES = ("thresholded_re_lu",)


class ThresholdedRelu(Layer):
    """`x` where x > theta, 0 elsewhere, element by element (Konda, Memisevic and Krueger, "Zero-bias autoencoders and
    the benefits of co-adapting features", 2015). `(batch, …)` → the same shape.
    """

    mask_use = "keeps"

    theta: float = Field(default=1.0, ge=0, description="values up to here become 0")

    def trace(self, scope: LayerScope, *inputs: Value) -> Value:
        (x,) = inputs
        return scope.activate(relu.Relu(threshold=self.theta), x)
