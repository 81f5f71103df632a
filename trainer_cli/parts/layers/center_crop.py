"""Center crop: images in, their central parts out."""

from __future__ import annotations

from pydantic import Field

from trainer_cli.ir import language as ir
from trainer_cli.ir.graph import Value
from trainer_cli.parts.layer import Layer, LayerScope
from trainer_cli.parts.resampling import cropped_and_resized, cut
from trainer_cli.parts.space import space_of


class CenterCrop(Layer):
    """The central part: `(batch, rows, columns, channels)` → `(batch, height, width, channels)`.

    Images with fewer rows or columns are cropped to the ratio of `height` and `width` and made larger.
    """

    height: int = Field(gt=0, description="rows of the result")
    width: int = Field(gt=0, description="columns of the result")

    def trace(self, scope: LayerScope, *inputs: Value) -> Value:
        (x,) = inputs
        rows, columns = space_of(scope, x, 2)
        if rows < self.height or columns < self.width:
            return cropped_and_resized(ir.cast(x, "float"), self.height, self.width)
        begin = (rows - self.height) // 2, (columns - self.width) // 2
        return cut(x, begin, (self.height, self.width))
