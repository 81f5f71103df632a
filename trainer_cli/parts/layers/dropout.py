"""Dropout: a value in, the same value with random elements set to 0 and the others made larger out."""

from __future__ import annotations

from pydantic import Field

from trainer_cli.ir.graph import Value
from trainer_cli.parts.layer import Layer, LayerScope
from trainer_cli.parts.noise import NoiseShape, drawn_together, dropped


class Dropout(Layer):
    """During training each element is 0 with probability `rate` and multiplied by `1 / (1 − rate)` otherwise, so that
    its expectation stays; afterwards the layer passes its input on (Srivastava, Hinton, Krizhevsky, Sutskever and
    Salakhutdinov, "Dropout", 2014). `(batch, …)` → the same shape.
    """

    mask_use = "keeps"

    rate: float = Field(ge=0, le=1, description="fraction of the elements that is dropped")
    noise_shape: NoiseShape | None = Field(
        default=None,
        description="1 at axes whose elements are dropped together, null at others; the first is the batch",
    )

    def trace(self, scope: LayerScope, *inputs: Value) -> Value:
        (x,) = inputs
        like = drawn_together(scope, x, self.noise_shape)
        return dropped(scope, x, like, self.rate) if scope.training else x
