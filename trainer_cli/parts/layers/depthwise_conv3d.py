"""Convolution of every channel by itself: volumes in, weighted sums over a window of one channel each out."""

from __future__ import annotations

from typing import ClassVar

from trainer_cli.ir.graph import Value
from trainer_cli.parts.layer import LayerScope
from trainer_cli.parts.separable import Depthwise


class DepthwiseConv3d(Depthwise):
    """`depth_multiplier` filters for every channel: `(batch, depth, height, width, channels)` →
    `(batch, depth′, height′, width′, channels · depth_multiplier)`, those of one channel next to each other.

    Weights: `kernel` `(*kernel_size, channels, depth_multiplier)` and, with `use_bias`, `bias`
    `(channels · depth_multiplier,)`.
    """

    dimensions: ClassVar[int] = 3

    def trace(self, scope: LayerScope, *inputs: Value) -> Value:
        (x,) = inputs
        return self.finish(scope, self.apart(scope, x, "kernel"))
