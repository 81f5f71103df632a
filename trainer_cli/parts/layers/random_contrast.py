"""Random contrast: images in, the same images with larger or smaller differences from their means out."""

from __future__ import annotations

from pydantic import Field, field_validator

from trainer_cli.ir.graph import Value
from trainer_cli.parts.augmentation import Augmentation, Factor
from trainer_cli.parts.layer import LayerScope
from trainer_cli.parts.recoloring import ValueRange, check_contrast, contrasted, range_field


class RandomContrast(Augmentation):
    """During training `(x − mean) · c + mean`, mean being that of a channel of an image and c a random number for every
    image, limited to `value_range`; afterwards the layer passes its input on. `(batch, height, width, channels)` → the
    same shape. (Keras takes one number for the upper bound alone, though its description is this one.)
    """

    factor: Factor = Field(
        description="c lies between 1 - factor and 1 + factor, or between 1 - lower and 1 + upper for [lower, upper]"
    )
    value_range: ValueRange = range_field()

    @field_validator("factor")
    @classmethod
    def _bounds(cls, value: Factor) -> Factor:
        return check_contrast(value)

    def change(self, scope: LayerScope, x: Value) -> Value:
        return contrasted(scope, x, self.factor, self.value_range)
