"""Up-sampling: images in, larger images whose pixels are repeated out."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from trainer_cli.ir import language as ir
from trainer_cli.ir.graph import Value
from trainer_cli.parts.convolution import Sizes, check_sizes, per_dimension, space_of
from trainer_cli.parts.layer import Layer, LayerScope

ALIASES = ("up_sampling_2d", "upsampling2d")


class UpSampling2d(Layer):
    """Repeats rows and columns: `(batch, height, width, channels)` →
    `(batch, height · size, width · size, channels)`.
    """

    size: Sizes = Field(default=2, description="how often rows and columns are repeated")
    interpolation: Literal["nearest"] = Field(default="nearest", description="where the new pixels come from")

    @model_validator(mode="after")
    def _positive(self) -> Self:
        check_sizes("size", self.size, 2)
        return self

    def trace(self, scope: LayerScope, *inputs: Value) -> Value:
        (x,) = inputs
        height, width = space_of(scope, x, 2)
        rows, columns = per_dimension(self.size, 2)
        batch, channels = x.shape[0], int(x.shape[-1])
        apart = ir.reshape(x, (batch, height, 1, width, 1, channels))
        repeated = ir.broadcast_to(apart, (batch, height, rows, width, columns, channels))
        return ir.reshape(repeated, (batch, height * rows, width * columns, channels))
