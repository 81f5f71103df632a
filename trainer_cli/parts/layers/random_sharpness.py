"""Random sharpness: images in, the same images blurred or sharpened out."""

from __future__ import annotations

from trainer_cli.ir.graph import Value
from trainer_cli.parts.layer import LayerScope
from trainer_cli.parts.recoloring import Recoloring, share


class RandomSharpness(Recoloring):
    """During training `x + (1 − 2 · factor) · (smooth − x)`, smooth being the mean of a pixel, counted five times, and
    of its eight neighbours, and the factor drawn for every image: below 0.5 it blurs, above 0.5 it sharpens. Afterwards
    passes its input on. `(batch, height, width, channels)` → the same shape.
    """

    def change(self, scope: LayerScope, x: Value) -> Value:
        geometry = {"window": (3, 3), "strides": (1, 1), "padding": ((1, 1), (1, 1))}
        smooth = (x.graph.emit("window_sum", (x,), **geometry) + x * 4.0) / 13.0
        return self.limited(x + (1.0 - share(scope, x, self.factor) * 2.0) * (smooth - x))
