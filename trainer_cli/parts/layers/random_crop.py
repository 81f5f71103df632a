"""Random crop: images in, parts of them from random places out."""

from __future__ import annotations

from pydantic import Field

from trainer_cli.ir import language as ir
from trainer_cli.ir.graph import Value
from trainer_cli.parts.augmentation import drawn
from trainer_cli.parts.layer import Layer, LayerScope
from trainer_cli.parts.resampling import cropped_and_resized
from trainer_cli.parts.space import space_of


class RandomCrop(Layer):
    """During training a part from a random place of every image, each place being equally likely:
    `(batch, rows, columns, channels)` → `(batch, height, width, channels)`.

    Afterwards, and for images with fewer rows or columns, the largest central part with the ratio of `height` and
    `width`, resized.
    """

    height: int = Field(gt=0, description="rows of the result")
    width: int = Field(gt=0, description="columns of the result")

    def trace(self, scope: LayerScope, *inputs: Value) -> Value:
        (x,) = inputs
        rows, columns = space_of(scope, x, 2)
        x = ir.cast(x, "float")
        if not scope.training or rows < self.height or columns < self.width:
            return cropped_and_resized(x, self.height, self.width)
        down = self._chosen(scope, x, rows, self.height)
        right = self._chosen(scope, x, columns, self.width)
        return ir.contract("bxw,bywc->byxc", right, ir.contract("byh,bhwc->bywc", down, x))

    @staticmethod
    def _chosen(scope: LayerScope, x: Value, extent: int, size: int) -> Value:
        """Which of the extent's places each one of the result is: `(batch, size, extent)`, a 1 in every row."""
        begin = ir.floor(drawn(scope, x, 0.0, float(extent - size + 1), 3))
        wide = ir.zeros(x.graph, (x.shape[0], size, extent))
        place = ir.cast(ir.iota(wide, 2) - ir.iota(wide, 1), "float")
        return ir.cast(ir.equal(place, ir.broadcast_to(begin, wide.shape)), "float")
