"""Random grayscale: images in, some of them without their colors out."""

from __future__ import annotations

from pydantic import Field

from trainer_cli.ir.graph import Value
from trainer_cli.parts.augmentation import Augmentation
from trainer_cli.parts.layer import LayerScope
from trainer_cli.parts.recoloring import chosen, gray


class RandomGrayscale(Augmentation):
    """During training takes the colors of some images, all channels becoming `0.2989 · red + 0.587 · green +
    0.114 · blue`; afterwards passes its input on. `(batch, height, width, 3)` → the same shape.
    """

    factor: float = Field(default=0.5, ge=0, le=1, description="the fraction of images that lose their colors")

    def change(self, scope: LayerScope, x: Value) -> Value:
        return chosen(scope, x, self.factor, gray(scope, x))
