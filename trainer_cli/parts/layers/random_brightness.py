"""Random brightness: images in, the same images made lighter or darker out."""

from __future__ import annotations

from pydantic import Field, field_validator

from trainer_cli.ir.graph import Value
from trainer_cli.parts.augmentation import Augmentation, Factor, check_factor
from trainer_cli.parts.layer import LayerScope
from trainer_cli.parts.recoloring import ValueRange, brightened, range_field


class RandomBrightness(Augmentation):
    """During training adds a random fraction of the extent of `value_range` to all pixels of an image and limits them
    to it; afterwards passes its input on. `(batch, height, width, channels)` → the same shape.
    """

    factor: Factor = Field(
        description="largest fraction, in both directions, or [least, largest], positive being lighter"
    )
    value_range: ValueRange = range_field()

    @field_validator("factor")
    @classmethod
    def _bounds(cls, value: Factor) -> Factor:
        return check_factor(value, -1.0, 1.0)

    def change(self, scope: LayerScope, x: Value) -> Value:
        return brightened(scope, x, self.factor, self.value_range)
