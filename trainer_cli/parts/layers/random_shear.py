"""Random shear: images in, the same images with slanted edges out."""

from __future__ import annotations

from pydantic import Field, field_validator

from trainer_cli.ir import language as ir
from trainer_cli.ir.graph import Value
from trainer_cli.parts.augmentation import Factor, Warp, bounds, drawn
from trainer_cli.parts.layer import LayerScope
from trainer_cli.parts.recoloring import check_share
from trainer_cli.parts.resampling import pixel_places, resampled


class RandomShear(Warp):
    """During training the pixel (y, x) of every image becomes that at `(y + s·x, x + t·y)`, with random numbers s of
    `y_factor` and t of `x_factor`; the sign of both together is random too. Afterwards passes its input on.
    `(batch, height, width, channels)` → the same shape.

    The work per image grows with `height² · width² · channels`: small images are meant.
    """

    x_factor: Factor = Field(
        default=0.0, description="largest t, from 0 to 1, or [least, largest]; 1 moves each row by a pixel more"
    )
    y_factor: Factor = Field(
        default=0.0, description="largest s, from 0 to 1, or [least, largest]; 1 moves each column by a pixel more"
    )

    @field_validator("x_factor", "y_factor")
    @classmethod
    def _bounds(cls, value: Factor) -> Factor:
        return check_share(value)

    def change(self, scope: LayerScope, x: Value) -> Value:
        sign = ir.select(ir.greater(drawn(scope, x, 0.0, 1.0, 2), 0.5), -1.0, 1.0)
        slopes = [drawn(scope, x, *bounds(factor), 2) * sign for factor in (self.y_factor, self.x_factor)]
        down, right = pixel_places(x)
        return resampled(x, down + slopes[0] * right, right + slopes[1] * down, self.filling)
