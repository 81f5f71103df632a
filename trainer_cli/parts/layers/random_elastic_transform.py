"""Random elastic transform: images in, some of them bent as rubber is out."""

from __future__ import annotations

from pydantic import Field, field_validator

from trainer_cli.ir import language as ir
from trainer_cli.ir.graph import Value
from trainer_cli.parts.augmentation import Factor, Warp
from trainer_cli.parts.blurring import blur_weights
from trainer_cli.parts.layer import LayerScope
from trainer_cli.parts.noise import normal
from trainer_cli.parts.recoloring import ValueRange, changed_at_times, check_share, range_field, share
from trainer_cli.parts.resampling import pixel_places, resampled, weighted_sums

WIDEST = 0.05
"""σ as a fraction of the shorter side, at the scale 1."""

FARTHEST = 0.1
"""What distances are multiplied by, as a fraction of the longer side, at the scale 1."""


class RandomElasticTransform(Warp):
    """During training moves every pixel of some images, neighbours by similar distances (Simard, Steinkraus and Platt,
    "Best practices for convolutional neural networks", 2003): normal numbers of deviation σ, one for each pixel and
    direction, are blurred with this σ and multiplied by α. With a scale s that is drawn for every image σ is `0.05 · s`
    times its shorter side, and α `0.1 · s` times its longer one. Pixels are limited to `value_range`. Afterwards passes
    its input on. `(batch, height, width, channels)` → the same shape. (Keras draws one scale for all images of a batch,
    and moves every pixel as far down as to the right.)

    The work per image grows with `height² · width² · channels`: small images are meant.
    """

    factor: Factor = Field(
        default=1.0, description="the probability of a change is drawn from 0 to this, or from [least, largest]"
    )
    scale: Factor = Field(default=1.0, description="largest scale s, from 0 to 1, or [least, largest]")
    value_range: ValueRange = range_field()

    @field_validator("factor", "scale")
    @classmethod
    def _bounds(cls, value: Factor) -> Factor:
        return check_share(value)

    def change(self, scope: LayerScope, x: Value) -> Value:
        batch, height, width, _ = x.shape
        extents, pixels = (int(height), int(width)), int(height) * int(width)
        which = changed_at_times(scope, x, self.factor)
        scale = share(scope, x, self.scale, 2)
        distances = self._smooth(scope, x, ir.maximum(scale * (WIDEST * min(extents)), 1e-6))
        alpha = scale * (FARTHEST * max(extents))
        right, down = (
            ir.reshape(ir.slice_(distances, (0, 0, 0, each), (*x.shape[:3], each + 1)), (batch, pixels)) * alpha
            for each in (0, 1)
        )
        rows, columns = pixel_places(x)
        bent = resampled(x, rows + down, columns + right, self.filling)
        result = ir.select(ir.broadcast_to(which, x.shape), bent, x)
        return ir.clip(result, min(self.value_range), max(self.value_range))

    def _smooth(self, scope: LayerScope, x: Value, sigma: Value) -> Value:
        """Blurred distances to the right and down: `(batch, height, width, 2)`."""
        batch, height, width, _ = x.shape
        like = ir.zeros(x.graph, (batch, height, width, 1))
        noise = ir.concatenate([normal(scope, like), normal(scope, like)], -1) * ir.reshape(sigma, (batch, 1, 1, 1))
        # Weights reach as far as 3σ, which is known when an image is drawn; how far that may be is known before.
        most = int(3 * WIDEST * min(int(height), int(width)))
        down, right = (blur_weights(sigma, int(each), ir.floor(sigma * 3.0), most) for each in (height, width))
        return weighted_sums(noise, down, right)
