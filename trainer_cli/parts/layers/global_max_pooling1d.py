"""Whole sequences at once: values in, the maximum of each channel out."""

from __future__ import annotations

from typing import ClassVar

from trainer_cli.ir import language as ir
from trainer_cli.ir.graph import Value
from trainer_cli.parts.convolution import GlobalPooling
from trainer_cli.parts.layer import LayerScope

ALIASES = ("global_max_pool1d", "global_max_pooling_1d")


class GlobalMaxPooling1d(GlobalPooling):
    """The maximum of each channel: `(batch, steps, channels)` → `(batch, channels)`."""

    dimensions: ClassVar[int] = 1

    def trace(self, scope: LayerScope, *inputs: Value) -> Value:
        (x,) = inputs
        return ir.reduce_max(x, self.axes(scope, x), keepdims=self.keepdims)
