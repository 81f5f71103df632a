"""Whole images at once: values in, the maximum of each channel out."""

from __future__ import annotations

from typing import ClassVar

from trainer_cli.ir import language as ir
from trainer_cli.ir.graph import Value
from trainer_cli.parts.convolution import GlobalPooling
from trainer_cli.parts.layer import LayerScope

ALIASES = ("global_max_pool2d", "global_max_pooling_2d")


class GlobalMaxPooling2d(GlobalPooling):
    """The maximum of each channel: `(batch, height, width, channels)` → `(batch, channels)`."""

    dimensions: ClassVar[int] = 2

    def trace(self, scope: LayerScope, *inputs: Value) -> Value:
        (x,) = inputs
        return ir.reduce_max(x, self.axes(scope, x), keepdims=self.keepdims)
