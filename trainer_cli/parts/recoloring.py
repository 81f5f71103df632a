"""What layers share that change the colors of images at random: images in, others of the same shapes out."""

from __future__ import annotations

from pydantic import Field, field_validator

from trainer_cli.ir import language as ir
from trainer_cli.ir.graph import Value
from trainer_cli.parts.augmentation import Augmentation, Factor, Pair, check_factor, drawn
from trainer_cli.parts.layer import LayerScope

LUMINANCE = (0.2989, 0.5870, 0.1140)
"""How bright red, green and blue are."""


def range_field() -> Pair:
    """The field of the values that pixels may have."""
    field: Pair = Field(
        default=(0.0, 255.0), description="least and largest value of a pixel: [0, 1] where pixels were rescaled"
    )
    return field


def share(scope: LayerScope, x: Value, factor: Factor) -> Value:
    """A number for every image `(batch, 1, 1, 1)`: from 0 to the factor, or between the two that it is."""
    low, high = sorted(factor) if isinstance(factor, tuple) else (0.0, factor)
    return drawn(scope, x, low, high, 4)


def gray(scope: LayerScope, x: Value) -> Value:
    """Images without colors, in all channels. Stops with a config error unless there are one or three of these."""
    channels = int(x.shape[-1])
    if channels == 1:
        return x
    if channels != 3:
        scope.refuse(f"takes images of red, green and blue, not of {channels} channels")
    luminance = ir.reduce_sum(x * ir.constant(x.graph, LUMINANCE), -1, keepdims=True)
    return ir.broadcast_to(luminance, x.shape)


def chosen(scope: LayerScope, x: Value, probability: Value | float, changed: Value) -> Value:
    """Some images changed, each with this probability, and the others as they are."""
    number = drawn(scope, x, 0.0, 1.0, 4)
    return ir.select(ir.broadcast_to(ir.less(number, probability), x.shape), changed, x)


class Recoloring(Augmentation):
    """An augmentation of colors, whose strength is drawn for every image."""

    factor: Factor = Field(description="largest strength, from 0 to 1, or [least, largest]")
    value_range: Pair = range_field()

    @field_validator("factor")
    @classmethod
    def _bounds(cls, value: Factor) -> Factor:
        if not isinstance(value, tuple) and value < 0:
            raise ValueError("factors lie between 0 and 1")
        return check_factor(value, 0.0, 1.0)

    def limited(self, x: Value) -> Value:
        """Pixels within the range of values."""
        return ir.clip(x, min(self.value_range), max(self.value_range))
