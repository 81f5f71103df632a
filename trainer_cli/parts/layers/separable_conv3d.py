"""Separable convolution: volumes in, sums over windows of single channels, mixed by filters, out."""

from __future__ import annotations

from typing import ClassVar

from trainer_cli.parts.separable import Separable

ALIASES = ("separable_convolution3d", "separable_conv_3d")


class SeparableConv3d(Separable):
    """A convolution of every channel by itself, then one over single places that mixes the channels (Chollet,
    "Xception", 2017): `(batch, depth, height, width, channels)` → `(batch, depth′, height′, width′, filters)`.

    Weights: `depthwise_kernel` `(*kernel_size, channels, depth_multiplier)`, `pointwise_kernel`
    `(1, 1, 1, channels · depth_multiplier, filters)` and, with `use_bias`, `bias` `(filters,)`.
    """

    dimensions: ClassVar[int] = 3
