"""Random hue: images in, the same images with other hues out."""

from __future__ import annotations

from trainer_cli.ir.graph import Value
from trainer_cli.parts.layer import LayerScope
from trainer_cli.parts.recoloring import Recoloring, recolored


class RandomHue(Recoloring):
    """During training turns the hues of every image along the circle red, green, blue by half of a factor that is drawn
    for each of them, in either direction: 1 is half a turn, which makes red cyan. Lightness and saturation stay.
    Afterwards passes its input on. `(batch, height, width, 3)` → the same shape.
    """

    def change(self, scope: LayerScope, x: Value) -> Value:
        return recolored(scope, x, self.factor, self.value_range)
