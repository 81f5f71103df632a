"""What layers share that change the colors of images at random: images in, others of the same shapes out."""

from __future__ import annotations

from typing import Annotated, TypeAlias

from pydantic import AfterValidator, Field, field_validator

from trainer_cli.ir import language as ir
from trainer_cli.ir.graph import Value
from trainer_cli.parts.augmentation import Augmentation, Factor, Pair, bounds, check_factor, drawn
from trainer_cli.parts.colors import check_colors, saturated, turned
from trainer_cli.parts.layer import LayerScope

LUMINANCE = (0.2989, 0.5870, 0.1140)
"""How bright red, green and blue are."""

SMALL = 1e-7
"""What keeps a denominator from 0."""


def _check_range(value: Pair) -> Pair:
    if value[0] == value[1]:
        raise ValueError("the least and the largest value of a pixel differ")
    return value


ValueRange: TypeAlias = Annotated[Pair, AfterValidator(_check_range)]
"""The least and the largest value that pixels may have."""


def range_field() -> ValueRange:
    """The field of the values that pixels may have."""
    field: ValueRange = Field(
        default=(0.0, 255.0), description="least and largest value of a pixel: [0, 1] where pixels were rescaled"
    )
    return field


def check_share(factor: Factor) -> Factor:
    """The factor. Raises ValueError if it is not from 0 to 1."""
    if not isinstance(factor, tuple) and factor < 0:
        raise ValueError("factors lie between 0 and 1")
    return check_factor(factor, 0.0, 1.0)


def share(scope: LayerScope, x: Value, factor: Factor, rank: int = 4) -> Value:
    """A number for every image `(batch, 1, …)`: from 0 to the factor, or between the two that it is."""
    low, high = sorted(factor) if isinstance(factor, tuple) else (0.0, factor)
    return drawn(scope, x, low, high, rank)


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


def changed_at_times(scope: LayerScope, x: Value, probability: Factor) -> Value:
    """Whether each image is to change, `(batch, 1, 1, 1)`, with a probability that is drawn for it."""
    least = share(scope, x, probability)
    return ir.less(drawn(scope, x, 0.0, 1.0, 4), least)


def brightened(scope: LayerScope, x: Value, factor: Factor, value_range: ValueRange) -> Value:
    """Images lighter or darker by a part of the range of values, drawn for each of them."""
    low, high = sorted(value_range)
    return ir.clip(x + drawn(scope, x, *bounds(factor), 4) * (high - low), low, high)


def check_contrast(factor: Factor) -> Factor:
    """The factor. Raises ValueError if a number of it is not from 0 to 1."""
    if any(not 0 <= each <= 1 for each in (factor if isinstance(factor, tuple) else (factor,))):
        raise ValueError("factors lie between 0 and 1")
    return factor


def contrasted(scope: LayerScope, x: Value, factor: Factor, value_range: ValueRange) -> Value:
    """Images whose distances from the mean of each channel are multiplied by a number, drawn for each of them."""
    lower, upper = factor if isinstance(factor, tuple) else (factor, factor)
    contrast = drawn(scope, x, 1.0 - lower, 1.0 + upper, 4)
    mean = ir.reduce_mean(x, (1, 2), keepdims=True)
    return ir.clip((x - mean) * contrast + mean, min(value_range), max(value_range))


def resaturated(scope: LayerScope, x: Value, factor: Factor, value_range: ValueRange) -> Value:
    """Images with weaker or stronger colors, by a factor that is drawn for each of them; 0.5 changes nothing."""
    check_colors(scope, x)
    drawn_factor = share(scope, x, factor)
    return saturated(x, drawn_factor / (1.0 + SMALL - drawn_factor), min(value_range))


def recolored(scope: LayerScope, x: Value, factor: Factor, value_range: ValueRange) -> Value:
    """Images with other hues, by a fraction of half a turn that is drawn for each of them, with its direction."""
    check_colors(scope, x)
    half = ir.select(ir.greater(drawn(scope, x, 0.0, 1.0, 4), 0.5), -0.5, 0.5)
    return ir.clip(turned(x, share(scope, x, factor) * half), min(value_range), max(value_range))


class Recoloring(Augmentation):
    """An augmentation of colors, whose strength is drawn for every image."""

    factor: Factor = Field(description="largest strength, from 0 to 1, or [least, largest]")
    value_range: ValueRange = range_field()

    @field_validator("factor")
    @classmethod
    def _bounds(cls, value: Factor) -> Factor:
        return check_share(value)

    def limited(self, x: Value) -> Value:
        """Pixels within the range of values."""
        return ir.clip(x, min(self.value_range), max(self.value_range))
