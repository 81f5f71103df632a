"""Whole sequences at once: values in, the mean of each channel out."""

from __future__ import annotations

from typing import ClassVar

from trainer_cli.ir import language as ir
from trainer_cli.ir.graph import Value
from trainer_cli.parts.convolution import GlobalPooling
from trainer_cli.parts.layer import LayerScope

ALIASES = ("global_avg_pool1d", "global_average_pooling_1d")


class GlobalAveragePooling1d(GlobalPooling):
    """The mean of each channel: `(batch, steps, channels)` → `(batch, channels)`. Steps that a mask leaves out do not
    count.
    """

    mask_use = "reads"

    dimensions: ClassVar[int] = 1

    def trace(self, scope: LayerScope, *inputs: Value) -> Value:
        (x,) = inputs
        axes, mask = self.axes(scope, x), scope.masks[0]
        if mask is None:
            return ir.reduce_mean(x, axes, keepdims=self.keepdims)
        weights = ir.reshape(ir.cast(mask, "float"), (*mask.shape, 1))
        count = ir.reduce_sum(weights, axes, keepdims=self.keepdims)
        return ir.reduce_sum(x * weights, axes, keepdims=self.keepdims) / ir.maximum(count, 1.0)
