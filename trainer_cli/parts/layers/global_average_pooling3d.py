"""Whole volumes at once: values in, the mean of each channel out."""

from __future__ import annotations

from typing import ClassVar

from trainer_cli.ir import language as ir
from trainer_cli.ir.graph import Value
from trainer_cli.parts.convolution import GlobalPooling
from trainer_cli.parts.layer import LayerScope

ALIASES = ("global_avg_pool3d", "global_average_pooling_3d")


class GlobalAveragePooling3d(GlobalPooling):
    """The mean of each channel: `(batch, depth, height, width, channels)` → `(batch, channels)`."""

    dimensions: ClassVar[int] = 3

    def trace(self, scope: LayerScope, *inputs: Value) -> Value:
        (x,) = inputs
        return ir.reduce_mean(x, self.axes(scope, x), keepdims=self.keepdims)
