"""Automatic contrast: images in, the same images from their darkest to their lightest possible value out."""

from __future__ import annotations

from trainer_cli.ir import language as ir
from trainer_cli.ir.graph import Value
from trainer_cli.parts.layer import Layer, LayerScope
from trainer_cli.parts.recoloring import ValueRange, range_field
from trainer_cli.parts.space import space_of


class AutoContrast(Layer):
    """Stretches every channel of every image, so that its least and largest pixel become those of `value_range`; one
    without differences stays what it is. `(batch, height, width, channels)` → the same shape. In inference too.
    """

    value_range: ValueRange = range_field()

    def trace(self, scope: LayerScope, *inputs: Value) -> Value:
        (x,) = inputs
        space_of(scope, x, 2)
        x = ir.cast(x, "float")
        low, high = sorted(self.value_range)
        least = -ir.reduce_max(-x, (1, 2), keepdims=True)
        extent = ir.reduce_max(x, (1, 2), keepdims=True) - least
        differs = ir.greater(extent, 0.0)
        stretched = (x - least) / ir.select(differs, extent, 1.0) * (high - low) + low
        return ir.select(ir.broadcast_to(differs, x.shape), stretched, x)
