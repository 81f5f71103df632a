"""Means of sequences: values in, the mean of each window out."""

from __future__ import annotations

from typing import ClassVar

from trainer_cli.ir.graph import Value
from trainer_cli.parts.convolution import Pooling, window_mean
from trainer_cli.parts.layer import LayerScope

ALIASES = ("avg_pool1d", "average_pooling_1d")


class AveragePooling1d(Pooling):
    """The mean of each window, of the elements inside the input: `(batch, steps, channels)` →
    `(batch, steps′, channels)`.
    """

    dimensions: ClassVar[int] = 1

    def trace(self, scope: LayerScope, *inputs: Value) -> Value:
        (x,) = inputs
        return window_mean(x, self.windows(scope, x))
