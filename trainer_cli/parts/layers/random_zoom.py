"""Random zoom: images in, the same images made larger or smaller about their centers out."""

from __future__ import annotations

from pydantic import Field, field_validator

from trainer_cli.ir.graph import Value
from trainer_cli.parts.augmentation import Factor, Warp, bounds, check_factor, drawn, places
from trainer_cli.parts.layer import LayerScope
from trainer_cli.parts.resampling import resampled_apart


class RandomZoom(Warp):
    """During training makes every image `1 / (1 + factor)` times as large, about its center; afterwards passes its
    input on. `(batch, height, width, channels)` → the same shape: a positive factor makes it smaller, and the edges are
    filled.
    """

    height_factor: Factor = Field(description="largest factor of the height, in both directions, or [least, largest]")
    width_factor: Factor | None = Field(
        default=None, description="that of the width; null keeps the ratio of the sides"
    )

    @field_validator("height_factor", "width_factor")
    @classmethod
    def _bounds(cls, value: Factor | None) -> Factor | None:
        if value is not None and bounds(check_factor(value, -1.0, 1.0))[0] <= -1.0:
            raise ValueError("factors are more than -1")
        return value

    def change(self, scope: LayerScope, x: Value) -> Value:
        tall = wide = drawn(scope, x, *bounds(self.height_factor), 2) + 1.0
        if self.width_factor is not None:
            wide = drawn(scope, x, *bounds(self.width_factor), 2) + 1.0
        zoomed = []
        for axis, zoom in ((1, tall), (2, wide)):
            middle = (int(x.shape[axis]) - 1) / 2.0
            zoomed.append((places(x, axis) - middle) * zoom + middle)
        return resampled_apart(x, zoomed[0], zoomed[1], self.filling)
