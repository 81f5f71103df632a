"""What layers with noise share: a scope and a value in, random numbers of a distribution and of its shape out."""

from __future__ import annotations

import math
from typing import ClassVar

from pydantic import Field

from trainer_cli.ir import language as ir
from trainer_cli.ir.graph import Value
from trainer_cli.parts.convolution import space_of
from trainer_cli.parts.layer import Layer, LayerScope


def normal(scope: LayerScope, like: Value) -> Value:
    """Standard normal numbers in `like`'s shape (Box and Muller, "A note on the generation of random normal deviates",
    1958). The largest is 5.8: the uniform numbers behind them have 24 bits."""
    radius = ir.sqrt(ir.log1p(-scope.random_uniform(like)) * -2.0)
    return radius * ir.cos(scope.random_uniform(like) * (2.0 * math.pi))


def dropped(scope: LayerScope, x: Value, like: Value, rate: float) -> Value:
    """x with a fraction of its elements set to 0 and the others made larger, so that the expectation stays.

    `like` broadcasts with x: what shares one of its elements is dropped together.
    """
    if rate == 0:
        return x
    if rate == 1:
        return ir.zeros_like(x)
    kept = ir.greater_equal(scope.random_uniform(like), rate)
    return ir.select(ir.broadcast_to(kept, x.shape), x * (1.0 / (1.0 - rate)), 0.0)


class SpatialDropout(Layer):
    """A layer that drops whole channels in training."""

    mask_use = "keeps"

    dimensions: ClassVar[int]

    rate: float = Field(ge=0, le=1, description="fraction of the channels that is dropped")

    def trace(self, scope: LayerScope, *inputs: Value) -> Value:
        (x,) = inputs
        space_of(scope, x, self.dimensions)
        if not scope.training:
            return x
        return dropped(scope, x, ir.zeros(x.graph, (x.shape[0], *(1,) * self.dimensions, x.shape[-1])), self.rate)
