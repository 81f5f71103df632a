"""What convolutions share that keep channels apart: values in, weighted sums over windows of single channels out."""

from __future__ import annotations

from typing import Self

from pydantic import Field, model_validator

from trainer_cli.ir import language as ir
from trainer_cli.ir.graph import Value
from trainer_cli.parts.constraint import ConstraintField
from trainer_cli.parts.convolution import (
    Filtering,
    Padding,
    Sizes,
    check_sizes,
    check_window,
    per_dimension,
    window_padding,
)
from trainer_cli.parts.initializer import InitializerField
from trainer_cli.parts.layer import LayerScope
from trainer_cli.parts.regularizer import RegularizerField
from trainer_cli.parts.space import space_of


class Depthwise(Filtering):
    """A layer that convolves every channel with filters of its own, channels last."""

    kernel_size: Sizes = Field(description="extents of the window, per dimension")
    padding: Padding = Field(
        default="valid", description="`same` keeps ⌈extent / stride⌉ positions, `valid` whole windows"
    )
    depth_multiplier: int = Field(default=1, gt=0, description="filters for every channel")
    depthwise_initializer: InitializerField = Field(
        default="glorot_uniform", validate_default=True, description="first values of the kernel of single channels"
    )
    depthwise_regularizer: RegularizerField | None = Field(
        default=None, description="penalty on the kernel of single channels"
    )
    depthwise_constraint: ConstraintField | None = Field(
        default=None, description="projection of the updated kernel of single channels"
    )

    @model_validator(mode="after")
    def _window(self) -> Self:
        check_sizes("kernel_size", self.kernel_size, self.dimensions)
        return self

    def apart(self, scope: LayerScope, x: Value, weight: str) -> Value:
        """The sums over windows of single channels: `(batch, …, channels)` → `(batch, …, channels · depth_multiplier)`.

        `weight` is the name of the kernel, `(*kernel_size, channels, depth_multiplier)`.
        """
        space, channels = space_of(scope, x, self.dimensions), int(x.shape[-1])
        window, strides, dilation = (
            per_dimension(sizes, self.dimensions) for sizes in (self.kernel_size, self.strides, self.dilation_rate)
        )
        pads = window_padding(self.padding, space, window, strides, dilation)
        check_window(scope, "kernel_size", space, window, dilation, pads)
        kernel = self.weight(scope, weight, (*window, channels, self.depth_multiplier), fields="depthwise")
        single = ir.reshape(kernel, (*window, 1, channels * self.depth_multiplier))
        geometry = {"strides": strides, "padding": pads, "dilation": dilation, "groups": channels}
        return x.graph.emit("convolve", (x, single), **geometry)


class Separable(Depthwise):
    """A layer that convolves every channel by itself and then mixes the channels at every place."""

    filters: int = Field(gt=0, description="number of filters")
    pointwise_initializer: InitializerField = Field(
        default="glorot_uniform", validate_default=True, description="first values of the kernel that mixes channels"
    )
    pointwise_regularizer: RegularizerField | None = Field(
        default=None, description="penalty on the kernel that mixes channels"
    )
    pointwise_constraint: ConstraintField | None = Field(
        default=None, description="projection of the updated kernel that mixes channels"
    )

    def trace(self, scope: LayerScope, *inputs: Value) -> Value:
        (x,) = inputs
        single = self.apart(scope, x, "depthwise_kernel")
        ones = (1,) * self.dimensions
        kernel = self.weight(
            scope, "pointwise_kernel", (*ones, int(single.shape[-1]), self.filters), fields="pointwise"
        )
        lead = "bdhw"[: self.dimensions + 1]
        mixed = ir.contract(f"{lead}i,io->{lead}o", single, ir.reshape(kernel, kernel.shape[-2:]))
        return self.finish(scope, mixed)
