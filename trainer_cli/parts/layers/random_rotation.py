"""Random rotation: images in, the same images turned by random angles out."""

from __future__ import annotations

from pydantic import Field, field_validator

from trainer_cli.ir.graph import Value
from trainer_cli.parts.augmentation import Factor, Warp, bounds, check_factor, drawn
from trainer_cli.parts.layer import LayerScope
from trainer_cli.parts.resampling import TURN, resampled, rotated_places


class RandomRotation(Warp):
    """During training turns every image about its center by a random angle; afterwards passes its input on.
    `(batch, height, width, channels)` → the same shape.

    The work per image grows with `height² · width² · channels`: small images are meant.
    """

    factor: Factor = Field(
        description="largest fraction of a full turn, in both directions, or [least, largest], positive being "
        "counterclockwise"
    )

    @field_validator("factor")
    @classmethod
    def _bounds(cls, value: Factor) -> Factor:
        return check_factor(value, -1.0, 1.0)

    def change(self, scope: LayerScope, x: Value) -> Value:
        angle = drawn(scope, x, *bounds(self.factor), 2) * TURN
        rows, columns = rotated_places(angle, int(x.shape[1]), int(x.shape[2]))
        return resampled(x, rows, columns, self.filling)
