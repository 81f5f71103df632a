"""Convolution of every channel by itself: images in, weighted sums over a window of one channel each out."""

from __future__ import annotations

from typing import ClassVar, Self

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
    space_of,
    window_padding,
)
from trainer_cli.parts.initializer import InitializerField
from trainer_cli.parts.layer import LayerScope
from trainer_cli.parts.regularizer import RegularizerField


class DepthwiseConv2d(Filtering):
    """`depth_multiplier` filters for every channel: `(batch, height, width, channels)` →
    `(batch, height′, width′, channels · depth_multiplier)`, those of one channel next to each other.

    Weights: `kernel` `(*kernel_size, channels, depth_multiplier)` and, with `use_bias`, `bias`
    `(channels · depth_multiplier,)`.
    """

    dimensions: ClassVar[int] = 2

    kernel_size: Sizes = Field(description="height and width of the window")
    padding: Padding = Field(
        default="valid", description="`same` keeps ⌈extent / stride⌉ positions, `valid` whole windows"
    )
    depth_multiplier: int = Field(default=1, gt=0, description="filters for every channel")
    depthwise_initializer: InitializerField = Field(
        default="glorot_uniform", validate_default=True, description="first values of the kernel"
    )
    depthwise_regularizer: RegularizerField | None = Field(default=None, description="penalty on the kernel")
    depthwise_constraint: ConstraintField | None = Field(default=None, description="projection of the updated kernel")

    @model_validator(mode="after")
    def _window(self) -> Self:
        check_sizes("kernel_size", self.kernel_size, 2)
        return self

    def trace(self, scope: LayerScope, *inputs: Value) -> Value:
        (x,) = inputs
        space, channels = space_of(scope, x, 2), int(x.shape[-1])
        window, strides, dilation = (
            per_dimension(sizes, 2) for sizes in (self.kernel_size, self.strides, self.dilation_rate)
        )
        pads = window_padding(self.padding, space, window, strides, dilation)
        check_window(scope, "kernel_size", space, window, dilation, pads)
        kernel = scope.weight(
            "kernel",
            (*window, channels, self.depth_multiplier),
            self.depthwise_initializer,
            regularizer=self.depthwise_regularizer,
            constraint=self.depthwise_constraint,
        )
        apart = ir.reshape(kernel, (*window, 1, channels * self.depth_multiplier))
        geometry = {"strides": strides, "padding": pads, "dilation": dilation, "groups": channels}
        return self.finish(scope, x.graph.emit("convolve", (x, apart), **geometry))
