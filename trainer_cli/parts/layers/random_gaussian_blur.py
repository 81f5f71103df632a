"""Random Gaussian blur: images in, some of them blurred out."""

from __future__ import annotations

from typing import Annotated, TypeAlias

from pydantic import Field, field_validator

from trainer_cli.ir import language as ir
from trainer_cli.ir.graph import Value
from trainer_cli.parts.augmentation import Factor
from trainer_cli.parts.blurring import blur_weights
from trainer_cli.parts.layer import LayerScope
from trainer_cli.parts.part import IntegerList
from trainer_cli.parts.recoloring import Recoloring, changed_at_times, check_share, share
from trainer_cli.parts.resampling import weighted_sums

Sizes: TypeAlias = int | Annotated[IntegerList, Field(min_length=2, max_length=2)]


class RandomGaussianBlur(Recoloring):
    """During training makes each pixel of some images a mean of those around it, with weights `exp(−d²/2σ²)` by their
    distance d in either direction, and limits it to `value_range`; beyond the edges there is 0. Afterwards passes its
    input on. `(batch, height, width, channels)` → the same shape. Every image has its own σ, one for each direction.
    """

    factor: Factor = Field(
        default=1.0, description="the probability of a blur is drawn from 0 to this, or from [least, largest]"
    )
    kernel_size: Sizes = Field(
        default=3, description="how many columns and rows count, the pixel's own in the middle: an odd number, or two"
    )
    sigma: Factor = Field(default=1.0, description="largest σ in pixels, from 0 to 1, or [least, largest]")

    @field_validator("sigma")
    @classmethod
    def _widths(cls, value: Factor) -> Factor:
        return check_share(value)

    @field_validator("kernel_size")
    @classmethod
    def _odd(cls, value: Sizes) -> Sizes:
        if any(each < 1 or each % 2 == 0 for each in (value if isinstance(value, tuple) else (value,))):
            raise ValueError("sizes are odd, and greater than 0")
        return value

    def change(self, scope: LayerScope, x: Value) -> Value:
        sizes = self.kernel_size if isinstance(self.kernel_size, tuple) else (self.kernel_size,) * 2
        which = changed_at_times(scope, x, self.factor)
        weights = []
        for axis, size in zip((2, 1), sizes, strict=True):
            sigma = share(scope, x, self.sigma, 2) + 1e-6
            weights.append(blur_weights(sigma, int(x.shape[axis]), float(size // 2), size // 2))
        right, down = weights
        blurred = weighted_sums(x, down, right)
        return self.limited(ir.select(ir.broadcast_to(which, x.shape), blurred, x))
