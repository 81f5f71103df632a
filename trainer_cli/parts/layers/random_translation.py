"""Random translation: images in, the same images moved by random distances out."""

from __future__ import annotations

from pydantic import Field, field_validator

from trainer_cli.ir.graph import Value
from trainer_cli.parts.augmentation import Factor, Warp, bounds, check_factor, drawn, places
from trainer_cli.parts.layer import LayerScope
from trainer_cli.parts.resampling import resampled_apart


class RandomTranslation(Warp):
    """During training moves every image down and to the right by random fractions of its extents, negative ones up and
    to the left; afterwards passes its input on. `(batch, height, width, channels)` → the same shape.
    """

    height_factor: Factor = Field(
        description="largest fraction of the height, in both directions, or [least, largest], positive being down"
    )
    width_factor: Factor = Field(
        description="largest fraction of the width, in both directions, or [least, largest], positive being right"
    )

    @field_validator("height_factor", "width_factor")
    @classmethod
    def _bounds(cls, value: Factor) -> Factor:
        return check_factor(value, -1.0, 1.0)

    def change(self, scope: LayerScope, x: Value) -> Value:
        moved = []
        for axis, factor in ((1, self.height_factor), (2, self.width_factor)):
            distance = drawn(scope, x, *bounds(factor), 2) * float(int(x.shape[axis]))
            moved.append(places(x, axis) - distance)
        return resampled_apart(x, moved[0], moved[1], self.filling)
