"""Activation: a value in, an activation function of it out."""

from __future__ import annotations

from pydantic import Field

from trainer_cli.ir.graph import Value
from trainer_cli.parts.activation import ActivationField
from trainer_cli.parts.layer import Layer, LayerScope


class Activation(Layer):
    """Applies an activation as a layer of its own: `(batch, …)` → the same shape."""

    mask_use = "keeps"

    activation: ActivationField = Field(description="the function")

    def trace(self, scope: LayerScope, *inputs: Value) -> Value:
        (x,) = inputs
        return scope.activate(self.activation, x)
