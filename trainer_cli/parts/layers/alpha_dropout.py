"""Alpha dropout: a value in, the same value with random elements at the lower end of `selu` out."""

from __future__ import annotations

import math

from pydantic import Field

from trainer_cli.ir import language as ir
from trainer_cli.ir.graph import Value
from trainer_cli.parts.activations.selu import ALPHA, SCALE
from trainer_cli.parts.layer import Layer, LayerScope
from trainer_cli.parts.noise import NoiseShape, drawn_together


class AlphaDropout(Layer):
    """During training each element is `−1.7581`, the limit of `selu`, with probability `rate`, and then `a · x + b`
    such that mean 0 and variance 1 stay what they are; afterwards the layer passes its input on (Klambauer,
    Unterthiner, Mayr and Hochreiter, "Self-normalizing neural networks", 2017). `(batch, …)` → the same shape.
    """

    mask_use = "keeps"

    rate: float = Field(ge=0, lt=1, description="fraction of the elements that is replaced")
    noise_shape: NoiseShape | None = Field(
        default=None,
        description="1 at axes whose elements are replaced together, null at others; the first is the batch",
    )

    def trace(self, scope: LayerScope, *inputs: Value) -> Value:
        (x,) = inputs
        like = drawn_together(scope, x, self.noise_shape)
        if not scope.training or self.rate == 0:
            return x
        lowest = -ALPHA * SCALE
        factor = 1.0 / math.sqrt((1.0 - self.rate) * (1.0 + self.rate * lowest**2))
        kept = ir.broadcast_to(ir.greater_equal(scope.random_uniform(like), self.rate), x.shape)
        return ir.select(kept, x, lowest) * factor - factor * lowest * self.rate
