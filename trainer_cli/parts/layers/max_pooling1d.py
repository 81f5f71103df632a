"""Largest values of sequences: values in, the maximum of each window out."""

from __future__ import annotations

from typing import ClassVar

from trainer_cli.ir.graph import Value
from trainer_cli.parts.convolution import Pooling
from trainer_cli.parts.layer import LayerScope

ALIASES = ("max_pool1d", "max_pooling_1d")


class MaxPooling1d(Pooling):
    """The maximum of each window: `(batch, steps, channels)` → `(batch, steps′, channels)`.

    The first of several maxima takes the gradient.
    """

    dimensions: ClassVar[int] = 1

    def trace(self, scope: LayerScope, *inputs: Value) -> Value:
        (x,) = inputs
        return x.graph.emit("window_max", (x,), **self.windows(scope, x)._asdict())
