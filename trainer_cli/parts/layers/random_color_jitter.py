"""Random color jitter: images in, the same images with other brightness, contrast, saturation and hues out."""

from __future__ import annotations

from pydantic import Field, field_validator

from trainer_cli.ir.graph import Value
from trainer_cli.parts.augmentation import Augmentation, Factor, check_factor
from trainer_cli.parts.layer import LayerScope
from trainer_cli.parts.recoloring import (
    ValueRange,
    brightened,
    check_contrast,
    check_share,
    contrasted,
    range_field,
    recolored,
    resaturated,
)


class RandomColorJitter(Augmentation):
    """During training what `random_brightness`, `random_contrast`, `random_saturation` and `random_hue` do, one behind
    the other; what has no factor is left out. Afterwards passes its input on. `(batch, height, width, channels)` → the
    same shape; saturation and hue take three channels.
    """

    value_range: ValueRange = range_field()
    brightness_factor: Factor | None = Field(
        default=None, description="largest fraction of `value_range` that is added, in both directions, or its bounds"
    )
    contrast_factor: Factor | None = Field(
        default=None, description="distances from the mean are multiplied by 1 - factor to 1 + factor, from 0 to 1"
    )
    saturation_factor: Factor | None = Field(
        default=None, description="largest factor, from 0 to 1, or [least, largest]: 0.5 leaves colors as they are"
    )
    hue_factor: Factor | None = Field(
        default=None, description="largest fraction of half a turn, from 0 to 1, or [least, largest]"
    )

    @field_validator("brightness_factor")
    @classmethod
    def _brightness(cls, value: Factor | None) -> Factor | None:
        return None if value is None else check_factor(value, -1.0, 1.0)

    @field_validator("contrast_factor")
    @classmethod
    def _contrast(cls, value: Factor | None) -> Factor | None:
        return None if value is None else check_contrast(value)

    @field_validator("saturation_factor", "hue_factor")
    @classmethod
    def _shares(cls, value: Factor | None) -> Factor | None:
        return None if value is None else check_share(value)

    def change(self, scope: LayerScope, x: Value) -> Value:
        for change, factor in (
            (brightened, self.brightness_factor),
            (contrasted, self.contrast_factor),
            (resaturated, self.saturation_factor),
            (recolored, self.hue_factor),
        ):
            if factor is not None:
                x = change(scope, x, factor, self.value_range)
        return x
