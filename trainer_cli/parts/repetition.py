"""What up-sampling layers share: a value and numbers in, the value with every element repeated that often out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Self

from pydantic import Field, model_validator

from trainer_cli.ir import language as ir
from trainer_cli.ir.graph import Value
from trainer_cli.parts.convolution import Sizes, check_sizes, per_dimension
from trainer_cli.parts.layer import Layer, LayerScope
from trainer_cli.parts.space import space_of


def repeated(x: Value, times: Sequence[int]) -> Value:
    """Each element `times` times in a row, per axis between batch and channels: `(batch, …, channels)` → larger."""
    batch, *space, channels = x.shape
    apart: list[int] = []
    wide: list[int] = []
    for extent, count in zip(space, times, strict=True):
        apart += [int(extent), 1]
        wide += [int(extent), count]
    result = [int(extent) * count for extent, count in zip(space, times, strict=True)]
    spread = ir.broadcast_to(ir.reshape(x, (batch, *apart, channels)), (batch, *wide, channels))
    return ir.reshape(spread, (batch, *result, channels))


class UpSampling(Layer):
    """A layer that repeats the elements of its input, channels last."""

    dimensions: ClassVar[int]

    size: Sizes = Field(default=2, description="how often elements are repeated, per dimension")

    @model_validator(mode="after")
    def _positive(self) -> Self:
        check_sizes("size", self.size, self.dimensions)
        return self

    def trace(self, scope: LayerScope, *inputs: Value) -> Value:
        (x,) = inputs
        space_of(scope, x, self.dimensions)
        return repeated(x, per_dimension(self.size, self.dimensions))
