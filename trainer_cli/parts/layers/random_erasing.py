"""Random erasing: images in, some of them with a rectangle of noise or of one color out."""

from __future__ import annotations

from pydantic import Field, field_validator

from trainer_cli.ir import language as ir
from trainer_cli.ir.graph import Value
from trainer_cli.parts.augmentation import Augmentation, Factor, drawn, places
from trainer_cli.parts.layer import LayerScope
from trainer_cli.parts.noise import normal
from trainer_cli.parts.part import FloatList
from trainer_cli.parts.recoloring import ValueRange, changed_at_times, check_share, range_field, share


class RandomErasing(Augmentation):
    """During training fills a rectangle in some images, at a random place (Zhong, Zheng, Kang, Li and Yang, "Random
    erasing data augmentation", 2017). Each of its sides is the root of a number between the two of `scale`, as a
    fraction of the image's. Afterwards passes its input on. `(batch, height, width, channels)` → the same shape.

    A rectangle begins behind the first row and the first column, as by Keras: these are never filled.
    """

    factor: Factor = Field(
        default=1.0, description="the probability of a rectangle is drawn from 0 to this, or from [least, largest]"
    )
    scale: Factor = Field(
        default=(0.02, 0.33),
        description="the square of each side, as a fraction, is drawn from the first to the second, or from 0",
    )
    fill_value: float | FloatList | None = Field(
        default=None,
        description="what it is filled with: a number, one for each channel, or null for normal noise with a deviation "
        "of the largest value; limited to `value_range`",
    )
    value_range: ValueRange = range_field()

    @field_validator("factor", "scale")
    @classmethod
    def _bounds(cls, value: Factor) -> Factor:
        return check_share(value)

    def change(self, scope: LayerScope, x: Value) -> Value:
        channels = int(x.shape[3])
        if isinstance(self.fill_value, tuple) and len(self.fill_value) != channels:
            message = f"holds {len(self.fill_value)} numbers for images of {channels} channels"
            scope.refuse(f"`fill_value` {message}", field="fill_value")
        within = self._rectangle(scope, x)
        erased = ir.logical_and(within, changed_at_times(scope, x, self.factor))
        return ir.select(ir.broadcast_to(erased, x.shape), self._filling(scope, x), x)

    def _rectangle(self, scope: LayerScope, x: Value) -> Value:
        """Which pixels of an image are inside, `(batch, height, width, 1)`."""
        sides = [ir.sqrt(share(scope, x, self.scale, 2)) for _ in range(2)]
        inside = []
        for axis, side in zip((2, 1), sides, strict=True):
            extent = float(int(x.shape[axis]))
            length = side * extent
            begin = drawn(scope, x, 0.0, 1.0, 2) * (extent - length)
            place = places(x, axis)
            inside.append(ir.logical_and(ir.greater_equal(place, begin), ir.less(place, begin + length)))
        batch, height, width, _ = x.shape
        columns, rows = ir.reshape(inside[0], (batch, 1, width, 1)), ir.reshape(inside[1], (batch, height, 1, 1))
        return ir.logical_and(rows, columns)

    def _filling(self, scope: LayerScope, x: Value) -> Value:
        low, high = sorted(self.value_range)
        filling = self.fill_value
        value = normal(scope, x) * high if filling is None else ir.constant(x.graph, filling)
        return ir.broadcast_to(ir.clip(value, low, high), x.shape)
