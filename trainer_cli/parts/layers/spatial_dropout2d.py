"""Spatial dropout: images in, the same with random channels set to 0 and the others made larger out."""

from __future__ import annotations

from typing import ClassVar

from trainer_cli.parts.spatial_dropout import SpatialDropout

ALIASES = ("spatial_dropout_2d",)


class SpatialDropout2d(SpatialDropout):
    """During training each channel of a sample is 0 everywhere with probability `rate` and multiplied by
    `1 / (1 − rate)` otherwise; afterwards the layer passes its input on (Tompson, Goroshin, Jain, LeCun and Bregler,
    "Efficient object localization using convolutional networks", 2015).

    `(batch, height, width, channels)` → the same shape.
    """

    dimensions: ClassVar[int] = 2
