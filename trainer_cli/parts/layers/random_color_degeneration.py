"""Random color degeneration: images in, the same images with weaker colors out."""

from __future__ import annotations

from trainer_cli.ir.graph import Value
from trainer_cli.parts.layer import LayerScope
from trainer_cli.parts.recoloring import Recoloring, gray, share


class RandomColorDegeneration(Recoloring):
    """During training mixes every image with itself in gray, `x + factor · (gray − x)`, the factor being drawn for each
    of them: 1 leaves no colors. Afterwards passes its input on. `(batch, height, width, 3)` → the same shape.
    """

    def change(self, scope: LayerScope, x: Value) -> Value:
        return self.limited(x + share(scope, x, self.factor) * (gray(scope, x) - x))
