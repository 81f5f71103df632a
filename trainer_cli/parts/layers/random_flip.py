"""Random flip: images in, half of them mirrored out."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from trainer_cli.ir import language as ir
from trainer_cli.ir.graph import Value
from trainer_cli.parts.augmentation import Augmentation, drawn
from trainer_cli.parts.layer import LayerScope


class RandomFlip(Augmentation):
    """During training every image is mirrored with probability 1/2, left to right, top to bottom, or both at once;
    afterwards the layer passes its input on. `(batch, height, width, channels)` → the same shape.
    """

    mode: Literal["horizontal", "vertical", "horizontal_and_vertical"] = Field(
        default="horizontal_and_vertical",
        description="what changes places: left and right, top and bottom, or both",
    )

    def change(self, scope: LayerScope, x: Value) -> Value:
        axes = {"horizontal": (2,), "vertical": (1,), "horizontal_and_vertical": (1, 2)}[self.mode]
        turned = ir.less_equal(drawn(scope, x, 0.0, 1.0, 4), 0.5)
        return ir.select(ir.broadcast_to(turned, x.shape), ir.reverse(x, axes), x)
