"""Up-sampling: images in, larger images whose pixels are repeated or interpolated out."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from trainer_cli.ir.graph import Value
from trainer_cli.parts.convolution import per_dimension
from trainer_cli.parts.layer import LayerScope
from trainer_cli.parts.repetition import UpSampling, repeated
from trainer_cli.parts.resampling import Interpolation, resized
from trainer_cli.parts.space import space_of

ALIASES = ("up_sampling_2d", "upsampling2d")


class UpSampling2d(UpSampling):
    """Makes images larger: `(batch, height, width, channels)` → `(batch, height · size, width · size, channels)`."""

    dimensions: ClassVar[int] = 2

    interpolation: Interpolation = Field(
        default="nearest", description="where the new pixels come from: `nearest` repeats rows and columns"
    )

    def trace(self, scope: LayerScope, *inputs: Value) -> Value:
        (x,) = inputs
        height, width = space_of(scope, x, 2)
        rows, columns = per_dimension(self.size, 2)
        if self.interpolation == "nearest":
            return repeated(x, (rows, columns))
        return resized(x, height * rows, width * columns, self.interpolation)
