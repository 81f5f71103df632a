"""Alpha dropout: a value in, the same value with random elements at the lower end of `selu` out."""

from __future__ import annotations

import math

from pydantic import Field

from trainer_cli.ir import language as ir
from trainer_cli.ir.graph import Value
from trainer_cli.parts.activations.selu import ALPHA, SCALE
from trainer_cli.parts.layer import Layer, LayerScope


class AlphaDropout(Layer):
    """During training each element is `−1.7581`, the limit of `selu`, with probability `rate`, and then `a · x + b`
    such that mean 0 and variance 1 stay what they are; afterwards the layer passes its input on (Klambauer,
    Unterthiner, Mayr and Hochreiter, "Self-normalizing neural networks", 2017). `(batch, …)` → the same shape.
    """

    mask_use = "keeps"

    rate: float = Field(ge=0, lt=1, description="fraction of the elements that is replaced")

    def trace(self, scope: LayerScope, *inputs: Value) -> Value:
        (x,) = inputs
        if not scope.training or self.rate == 0:
            return x
        lowest = -ALPHA * SCALE
        factor = 1.0 / math.sqrt((1.0 - self.rate) * (1.0 + self.rate * lowest**2))
        kept = ir.greater_equal(scope.random_uniform(x), self.rate)
        return ir.select(kept, x, lowest) * factor - factor * lowest * self.rate
