"""Convolution of sequences: values in, weighted sums over a window that moves along them, one per filter, out."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from trainer_cli.ir.graph import Value
from trainer_cli.parts.convolution import Convolution
from trainer_cli.parts.layer import LayerScope

ALIASES = ("convolution1d", "conv_1d")


class Conv1d(Convolution):
    """`activation(x * kernel + bias)`: `(batch, steps, channels)` → `(batch, steps′, filters)`.

    Weights: `kernel` `(*kernel_size, channels / groups, filters)` and, with `use_bias`, `bias` `(filters,)`. Each of
    the groups convolves its own channels into its own filters.
    """

    dimensions: ClassVar[int] = 1

    padding: Literal["valid", "same", "causal"] = Field(
        default="valid", description="`same` keeps ⌈steps / stride⌉ positions, `causal` sees no later step"
    )

    def trace(self, scope: LayerScope, *inputs: Value) -> Value:
        (x,) = inputs
        return self.convolve(scope, x, self.padding)
