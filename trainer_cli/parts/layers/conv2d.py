"""Convolution of images: values in, weighted sums over a window that moves along them, one per filter, out."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from trainer_cli.ir.graph import Value
from trainer_cli.parts.convolution import Convolution, Padding
from trainer_cli.parts.layer import LayerScope

ALIASES = ("convolution2d", "conv_2d")


class Conv2d(Convolution):
    """`activation(x * kernel + bias)`: `(batch, height, width, channels)` → `(batch, height′, width′, filters)`.

    Weights: `kernel` `(*kernel_size, channels / groups, filters)` and, with `use_bias`, `bias` `(filters,)`. Each of
    the groups convolves its own channels into its own filters.
    """

    dimensions: ClassVar[int] = 2

    padding: Padding = Field(
        default="valid", description="`same` keeps ⌈extent / stride⌉ positions, `valid` whole windows"
    )

    def trace(self, scope: LayerScope, *inputs: Value) -> Value:
        (x,) = inputs
        return self.convolve(scope, x, self.padding)
