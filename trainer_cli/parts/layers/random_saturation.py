"""Random saturation: images in, the same images with weaker or stronger colors out."""

from __future__ import annotations

from trainer_cli.ir.graph import Value
from trainer_cli.parts.layer import LayerScope
from trainer_cli.parts.recoloring import Recoloring, resaturated


class RandomSaturation(Recoloring):
    """During training multiplies the saturation of every image by `factor / (1 − factor)`, the factor being drawn for
    each of them: 0 leaves no colors, 0.5 changes nothing, 1 makes them as strong as they can be. Saturation is `1 −
    darkest / lightest` of the channels of a pixel and never more than 1. Afterwards passes its input on.
    `(batch, height, width, 3)` → the same shape. (Keras draws factors below 0 too, and its limit is the largest of
    `value_range`, which is 1 for [0, 1] alone.)
    """

    def change(self, scope: LayerScope, x: Value) -> Value:
        return resaturated(scope, x, self.factor, self.value_range)
