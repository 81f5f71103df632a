"""Means of images: values in, the mean of each window out."""

from __future__ import annotations

from typing import ClassVar

from trainer_cli.ir.graph import Value
from trainer_cli.parts.convolution import Pooling, window_mean
from trainer_cli.parts.layer import LayerScope

ALIASES = ("avg_pool2d", "average_pooling_2d")


class AveragePooling2d(Pooling):
    """The mean of each window, of the elements inside the input: `(batch, height, width, channels)` →
    `(batch, height′, width′, channels)`.
    """

    dimensions: ClassVar[int] = 2

    def trace(self, scope: LayerScope, *inputs: Value) -> Value:
        (x,) = inputs
        return window_mean(x, self.windows(scope, x))
