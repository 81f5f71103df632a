"""Random inversion: images in, some of them as their own negatives out."""

from __future__ import annotations

from pydantic import Field

from trainer_cli.ir.graph import Value
from trainer_cli.parts.augmentation import Factor
from trainer_cli.parts.layer import LayerScope
from trainer_cli.parts.recoloring import Recoloring, chosen, share


class RandomInvert(Recoloring):
    """During training turns some images into their negatives, `largest value − x`; afterwards passes its input on.
    `(batch, height, width, channels)` → the same shape.
    """

    factor: Factor = Field(
        default=1.0, description="the probability of a negative is drawn from 0 to this, or from [least, largest]"
    )

    def change(self, scope: LayerScope, x: Value) -> Value:
        return chosen(scope, x, share(scope, x, self.factor), self.value_range[1] - x)
