"""Random perspective: images in, some of them as if seen from aside out."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, field_validator

from trainer_cli.ir import language as ir
from trainer_cli.ir.graph import Value
from trainer_cli.parts.augmentation import Augmentation, Factor
from trainer_cli.parts.layer import LayerScope
from trainer_cli.parts.recoloring import changed_at_times, check_share
from trainer_cli.parts.resampling import Filling, pixel_places, resampled

HORIZON = 1e-6
"""Places have at least this depth: at 0 they are infinitely far away."""


class RandomPerspective(Augmentation):
    """During training moves three corners of some images, all but the one at the top left, each along the edges that do
    not begin there, by random fractions of these up to `scale / 2` in either direction; what is between goes with them
    as a plane in perspective does, and the rest is filled. Afterwards passes its input on.
    `(batch, height, width, channels)` → the same shape.

    The work per image grows with `height² · width² · channels`: small images are meant.
    """

    factor: Factor = Field(
        default=1.0, description="the probability of a change is drawn from 0 to this, or from [least, largest]"
    )
    scale: float = Field(default=1.0, ge=0, le=1, description="twice the largest fraction that corners are moved by")
    interpolation: Literal["nearest", "bilinear"] = Field(
        default="bilinear", description="what is between pixels: the `nearest` one, or `bilinear` between four"
    )
    fill_value: float = Field(default=0.0, description="the value beyond the edges")

    @field_validator("factor")
    @classmethod
    def _bounds(cls, value: Factor) -> Factor:
        return check_share(value)

    def change(self, scope: LayerScope, x: Value) -> Value:
        which = changed_at_times(scope, x, self.factor)
        rows, columns = self._places(scope, x)
        filling = Filling("constant", self.fill_value, self.interpolation == "bilinear")
        return ir.select(ir.broadcast_to(which, x.shape), resampled(x, rows, columns, filling), x)

    def _places(self, scope: LayerScope, x: Value) -> tuple[Value, Value]:
        """Where in an image the pixels of its new one come from: rows and columns `(batch, height · width)`.

        In fractions of the edges, corners go from (1, 0) to (a, 0), from (0, 1) to (0, b), from (1, 1) to (c, d). The
        way back is `(u, v) → ((1/a + g)·u, (1/b + h)·v) / (1 + g·u + h·v)`, with `g = (d/b − 1)/c`, `h = (c/a − 1)/d`.
        """
        batch, height, width, _ = x.shape
        # A corner has two numbers, as it has with Keras, though those at an edge that begins at the top left need one.
        drawn = scope.random_uniform(ir.zeros(x.graph, (batch, 8))) * self.scale + (1.0 - self.scale / 2.0)
        a, b, c, d = (ir.slice_(drawn, (0, each), (batch, each + 1)) for each in (2, 5, 6, 7))
        g, h = (d / b - 1.0) / c, (c / a - 1.0) / d
        down, right = pixel_places(x)
        last = max(int(height) - 1, 1), max(int(width) - 1, 1)
        depth = g * right * (1.0 / last[1]) + h * down * (1.0 / last[0]) + 1.0
        depth = ir.select(ir.less(ir.absolute(depth), HORIZON), HORIZON, depth)
        return (1.0 / b + h) * down / depth, (1.0 / a + g) * right / depth
