"""Solarization: images in, the same images with their light parts inverted out."""

from __future__ import annotations

from pydantic import Field, field_validator

from trainer_cli.ir import language as ir
from trainer_cli.ir.graph import Value
from trainer_cli.parts.augmentation import Augmentation, Factor
from trainer_cli.parts.layer import LayerScope
from trainer_cli.parts.recoloring import ValueRange, check_share, range_field, share


class Solarization(Augmentation):
    """During training makes every image lighter and turns what is not below a threshold into its negative; both are
    drawn for every image, as fractions of the extent of `value_range`. Afterwards passes its input on.
    `(batch, height, width, channels)` → the same shape. (In Keras the least of two factors is no fraction.)
    """

    addition_factor: Factor = Field(
        default=0.0, description="largest fraction by which images are made lighter, from 0 to 1, or [least, largest]"
    )
    threshold_factor: Factor = Field(
        default=0.0, description="largest threshold, from 0 to 1, or [least, largest]; 0 inverts all of an image"
    )
    value_range: ValueRange = range_field()

    @field_validator("addition_factor", "threshold_factor")
    @classmethod
    def _bounds(cls, value: Factor) -> Factor:
        return check_share(value)

    def change(self, scope: LayerScope, x: Value) -> Value:
        low, high = sorted(self.value_range)
        lighter = ir.clip(x + share(scope, x, self.addition_factor) * (high - low), low, high)
        threshold = share(scope, x, self.threshold_factor) * (high - low) + low
        return ir.select(ir.less(lighter, threshold), lighter, high + low - lighter)
