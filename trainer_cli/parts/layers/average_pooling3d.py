"""Means of volumes: values in, the mean of each window out."""

from __future__ import annotations

from typing import ClassVar

from trainer_cli.ir.graph import Value
from trainer_cli.parts.convolution import Pooling, window_mean
from trainer_cli.parts.layer import LayerScope

ALIASES = ("avg_pool3d", "average_pooling_3d")


class AveragePooling3d(Pooling):
    """The mean of each window, of the elements inside the input: `(batch, depth, height, width, channels)` →
    `(batch, depth′, height′, width′, channels)`.
    """

    dimensions: ClassVar[int] = 3

    def trace(self, scope: LayerScope, *inputs: Value) -> Value:
        (x,) = inputs
        return window_mean(x, self.windows(scope, x))
