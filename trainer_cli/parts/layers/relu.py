"""Rectified linear unit: a value in, its positive part out."""

from __future__ import annotations

from pydantic import Field

from trainer_cli.ir.graph import Value
from trainer_cli.parts.activations import relu
from trainer_cli.parts.layer import Layer, LayerScope

ALIASES = ("re_lu",)


class Relu(Layer):
    """`max(x, 0)`, element by element (Nair and Hinton, "Rectified linear units improve restricted Boltzmann
    machines", 2010). `(batch, …)` → the same shape.

    With all arguments: `max_value` where x ≥ max_value, x where threshold < x < max_value, and
    `negative_slope · (x − threshold)` where x ≤ threshold.
    """

    mask_use = "keeps"

    max_value: float | None = Field(default=None, ge=0, description="largest result; none if null")
    negative_slope: float = Field(default=0.0, ge=0, description="slope below the threshold")
    threshold: float = Field(default=0.0, ge=0, description="values up to here count as negative")

    def trace(self, scope: LayerScope, *inputs: Value) -> Value:
        (x,) = inputs
        function = relu.Relu(max_value=self.max_value, negative_slope=self.negative_slope, threshold=self.threshold)
        return scope.activate(function, x)
