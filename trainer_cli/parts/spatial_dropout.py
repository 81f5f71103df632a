"""What dropout of whole channels shares: a fraction and a number of axes in, a value whose channels are dropped out."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from trainer_cli.ir import language as ir
from trainer_cli.ir.graph import Value
from trainer_cli.parts.layer import Layer, LayerScope
from trainer_cli.parts.noise import dropped
from trainer_cli.parts.space import space_of


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
