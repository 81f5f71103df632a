"""Dropout: a value in, the same value with random elements set to 0 and the others made larger out."""

from __future__ import annotations

from pydantic import Field

from trainer_cli.ir import language as ir
from trainer_cli.ir.graph import Value
from trainer_cli.parts.layer import Layer, LayerScope


class Dropout(Layer):
    """During training each element is 0 with probability `rate` and multiplied by `1 / (1 − rate)` otherwise, so that
    its expectation stays; afterwards the layer passes its input on (Srivastava, Hinton, Krizhevsky, Sutskever and
    Salakhutdinov, "Dropout", 2014). `(batch, …)` → the same shape.
    """

    mask_use = "keeps"

    rate: float = Field(ge=0, le=1, description="fraction of the elements that is dropped")

    def trace(self, scope: LayerScope, *inputs: Value) -> Value:
        (x,) = inputs
        if not scope.training or self.rate == 0:
            return x
        if self.rate == 1:
            return ir.zeros_like(x)
        kept = ir.greater_equal(scope.random_uniform(x), self.rate)
        return ir.select(kept, x * (1.0 / (1.0 - self.rate)), 0.0)
