"""Exponential linear unit: a value in, itself where positive and a saturating exponential elsewhere out."""

from __future__ import annotations

from pydantic import Field

from trainer_cli.ir.graph import Value
from trainer_cli.parts.activations import elu
from trainer_cli.parts.layer import Layer, LayerScope


class Elu(Layer):
    """`x` where x > 0, `alpha · (exp(x) − 1)` elsewhere, element by element (Clevert, Unterthiner and Hochreiter, "Fast
    and accurate deep network learning by exponential linear units", 2016). `(batch, …)` → the same shape.
    """

    mask_use = "keeps"

    alpha: float = Field(default=1.0, ge=0, description="the value that the function approaches below, negated")

    def trace(self, scope: LayerScope, *inputs: Value) -> Value:
        (x,) = inputs
        return scope.activate(elu.Elu(alpha=self.alpha), x)
