"""Largest values of images: values in, the maximum of each window out."""

from __future__ import annotations

from typing import ClassVar

from trainer_cli.ir.graph import Value
from trainer_cli.parts.convolution import Pooling
from trainer_cli.parts.layer import LayerScope

ALIASES = ("max_pool2d", "max_pooling_2d")


class MaxPooling2d(Pooling):
    """The maximum of each window: `(batch, height, width, channels)` → `(batch, height′, width′, channels)`.

    The first of several maxima takes the gradient.
    """

    dimensions: ClassVar[int] = 2

    def trace(self, scope: LayerScope, *inputs: Value) -> Value:
        (x,) = inputs
        return x.graph.emit("window_max", (x,), **self.windows(scope, x)._asdict())
