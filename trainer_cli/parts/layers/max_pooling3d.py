"""Largest values of volumes: values in, the maximum of each window out."""

from __future__ import annotations

from typing import ClassVar

from trainer_cli.ir.graph import Value
from trainer_cli.parts.convolution import Pooling
from trainer_cli.parts.layer import LayerScope

ALIASES = ("max_pool3d", "max_pooling_3d")


class MaxPooling3d(Pooling):
    """The maximum of each window: `(batch, depth, height, width, channels)` →
    `(batch, depth′, height′, width′, channels)`.

    The first of several maxima takes the gradient.
    """

    dimensions: ClassVar[int] = 3

    def trace(self, scope: LayerScope, *inputs: Value) -> Value:
        (x,) = inputs
        return x.graph.emit("window_max", (x,), **self.windows(scope, x)._asdict())
