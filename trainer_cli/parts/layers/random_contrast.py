"""Random contrast: images in, the same images with larger or smaller differences from their means out."""

from __future__ import annotations

from pydantic import Field, field_validator

from trainer_cli.ir import language as ir
from trainer_cli.ir.graph import Value
from trainer_cli.parts.augmentation import Augmentation, Factor, Pair, drawn
from trainer_cli.parts.layer import LayerScope


class RandomContrast(Augmentation):
    """During training `(x − mean) · c + mean`, mean being that of a channel of an image and c a random number for every
    image, limited to `value_range`; afterwards the layer passes its input on. `(batch, height, width, channels)` → the
    same shape.
    """

    factor: Factor = Field(
        description="c lies between 1 - factor and 1 + factor, or between 1 - lower and 1 + upper for [lower, upper]"
    )
    value_range: Pair = Field(
        default=(0.0, 255.0), description="least and largest value of a pixel: [0, 1] where pixels were rescaled"
    )

    @field_validator("factor")
    @classmethod
    def _bounds(cls, value: Factor) -> Factor:
        if any(not 0 <= each <= 1 for each in (value if isinstance(value, tuple) else (value,))):
            raise ValueError("factors lie between 0 and 1")
        return value

    def change(self, scope: LayerScope, x: Value) -> Value:
        lower, upper = self.factor if isinstance(self.factor, tuple) else (self.factor, self.factor)
        contrast = drawn(scope, x, 1.0 - lower, 1.0 + upper, 4)
        mean = ir.reduce_mean(x, (1, 2), keepdims=True)
        return ir.clip((x - mean) * contrast + mean, min(self.value_range), max(self.value_range))
