"""What convolutions and poolings share: sizes per dimension in, padding, weights and values in IR out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Literal, NamedTuple, Self, TypeAlias

from pydantic import Field, model_validator

from trainer_cli.ir import language as ir
from trainer_cli.ir.graph import Value
from trainer_cli.lazy import np
from trainer_cli.parts.activation import ActivationField
from trainer_cli.parts.constraint import ConstraintField
from trainer_cli.parts.initializer import InitializerField
from trainer_cli.parts.layer import Layer, LayerScope
from trainer_cli.parts.part import IntegerList
from trainer_cli.parts.regularizer import RegularizerField
from trainer_cli.parts.space import space_of

Sizes: TypeAlias = int | IntegerList
"""One number for every dimension, or a list with one for each."""

Padding: TypeAlias = Literal["valid", "same"]
Pads: TypeAlias = tuple[tuple[int, int], ...]


def per_dimension(sizes: Sizes, dimensions: int) -> tuple[int, ...]:
    """The sizes, one for every dimension."""
    return (sizes,) * dimensions if isinstance(sizes, int) else tuple(sizes)


def check_sizes(name: str, sizes: Sizes, dimensions: int, least: int = 1) -> None:
    """Raise ValueError for a wrong number of sizes, or one that is too small."""
    if not isinstance(sizes, int) and len(sizes) != dimensions:
        numbers = f"{dimensions} numbers" if dimensions > 1 else "a list of one number"
        raise ValueError(f"`{name}` takes one number or {numbers}, not {len(sizes)}")
    if min(per_dimension(sizes, dimensions)) < least:
        raise ValueError(f"the numbers of `{name}` are {least} or more")


def window_padding(
    padding: str, space: Sequence[int], window: Sequence[int], strides: Sequence[int], dilation: Sequence[int]
) -> Pads:
    """Zeros before and after each dimension.

    `same`: the result has an extent of ⌈extent / stride⌉, the odd zero comes after; `causal`: all come before.
    """
    found = []
    for extent, size, stride, apart in zip(space, window, strides, dilation, strict=True):
        reach = (size - 1) * apart
        if padding == "same":
            total = max((-(-extent // stride) - 1) * stride + reach + 1 - extent, 0)
            found.append((total // 2, total - total // 2))
        else:
            found.append((reach if padding == "causal" else 0, 0))
    return tuple(found)


def check_window(
    scope: LayerScope, field: str, space: Sequence[int], window: Sequence[int], dilation: Sequence[int], pads: Pads
) -> None:
    """Stop with a config error for a window that finds no place."""
    for extent, size, apart, pad in zip(space, window, dilation, pads, strict=True):
        if (size - 1) * apart + 1 > extent + sum(pad):
            scope.refuse(
                f"a window of {tuple(window)} does not fit into {tuple(space)}",
                field=field,
                hint="use padding `same`, a smaller window, or fewer poolings before",
            )


class Filtering(Layer):
    """A layer with a kernel that moves over one to three dimensions."""

    dimensions: ClassVar[int]

    strides: Sizes = Field(default=1, description="steps between windows, per dimension")
    dilation_rate: Sizes = Field(default=1, description="distance between the taps of a window, per dimension")
    activation: ActivationField = Field(
        default="linear", validate_default=True, description="function applied to the result"
    )
    use_bias: bool = Field(default=True, description="whether a bias is added, one number per filter")
    bias_initializer: InitializerField = Field(
        default="zeros", validate_default=True, description="first values of the bias"
    )
    bias_regularizer: RegularizerField | None = Field(default=None, description="penalty on the bias")
    bias_constraint: ConstraintField | None = Field(default=None, description="projection of the updated bias")

    @model_validator(mode="after")
    def _positive(self) -> Self:
        check_sizes("strides", self.strides, self.dimensions)
        check_sizes("dilation_rate", self.dilation_rate, self.dimensions)
        return self

    def finish(self, scope: LayerScope, result: Value) -> Value:
        """Add the bias and apply the activation."""
        if self.use_bias:
            result = result + self.weight(scope, "bias", (int(result.shape[-1]),))
        return scope.activate(self.activation, result)


class Kernels(Filtering):
    """A layer with `filters` kernels of `kernel_size` taps."""

    filters: int = Field(gt=0, description="number of filters: channels of the result")
    kernel_size: Sizes = Field(description="taps of the window, per dimension")
    kernel_initializer: InitializerField = Field(
        default="glorot_uniform", validate_default=True, description="first values of the kernel"
    )
    kernel_regularizer: RegularizerField | None = Field(default=None, description="penalty on the kernel")
    kernel_constraint: ConstraintField | None = Field(default=None, description="projection of the updated kernel")

    @model_validator(mode="after")
    def _window(self) -> Self:
        check_sizes("kernel_size", self.kernel_size, self.dimensions)
        return self

    def kernel(self, scope: LayerScope, shape: tuple[int, ...]) -> Value:
        """The layer's kernel, in a shape that begins with the window's."""
        return self.weight(scope, "kernel", (*per_dimension(self.kernel_size, self.dimensions), *shape))


class Convolution(Kernels):
    """A convolution in one to three dimensions, channels last."""

    groups: int = Field(default=1, gt=0, description="groups of channels that are convolved apart")

    @model_validator(mode="after")
    def _groups(self) -> Self:
        if self.filters % self.groups:
            raise ValueError(f"{self.filters} filters do not divide into {self.groups} groups")
        return self

    def convolve(self, scope: LayerScope, x: Value, padding: str) -> Value:
        """`activation(x * kernel + bias)`."""
        space = space_of(scope, x, self.dimensions)
        channels = int(x.shape[-1])
        if channels % self.groups:
            scope.refuse(f"{channels} channels do not divide into {self.groups} groups", field="groups")
        window = per_dimension(self.kernel_size, self.dimensions)
        strides = per_dimension(self.strides, self.dimensions)
        dilation = per_dimension(self.dilation_rate, self.dimensions)
        pads = window_padding(padding, space, window, strides, dilation)
        check_window(scope, "kernel_size", space, window, dilation, pads)
        kernel = self.kernel(scope, (channels // self.groups, self.filters))
        geometry = {"strides": strides, "padding": pads, "dilation": dilation, "groups": self.groups}
        return self.finish(scope, x.graph.emit("convolve", (x, kernel), **geometry))


class Windows(NamedTuple):
    """Extents of windows, steps between them, zeros around the input."""

    window: tuple[int, ...]
    strides: tuple[int, ...]
    padding: Pads


class Pooling(Layer):
    """A layer that makes one number of every window, each channel by itself."""

    dimensions: ClassVar[int]

    pool_size: Sizes = Field(default=2, description="extents of the window, per dimension")
    strides: Sizes | None = Field(default=None, description="steps between windows; by default those of the window")
    padding: Padding = Field(default="valid", description="`same` lets windows pass the edges, `valid` does not")

    @model_validator(mode="after")
    def _positive(self) -> Self:
        check_sizes("pool_size", self.pool_size, self.dimensions)
        if self.strides is not None:
            check_sizes("strides", self.strides, self.dimensions)
        return self

    def windows(self, scope: LayerScope, x: Value) -> Windows:
        """Where the windows lie, in the words of the primitives' attributes."""
        space = space_of(scope, x, self.dimensions)
        window = per_dimension(self.pool_size, self.dimensions)
        strides = window if self.strides is None else per_dimension(self.strides, self.dimensions)
        none = (1,) * self.dimensions
        pads = window_padding(self.padding, space, window, strides, none)
        check_window(scope, "pool_size", space, window, none, pads)
        return Windows(window, strides, pads)


class GlobalPooling(Layer):
    """A layer that makes one number of every channel."""

    dimensions: ClassVar[int]

    keepdims: bool = Field(default=False, description="whether the reduced axes stay, with an extent of 1")

    def axes(self, scope: LayerScope, x: Value) -> tuple[int, ...]:
        """The axes that are reduced."""
        space_of(scope, x, self.dimensions)
        return tuple(range(1, self.dimensions + 1))


def window_mean(x: Value, windows: Windows) -> Value:
    """The mean over every window of the elements that lie inside x."""
    total = x.graph.emit("window_sum", (x,), **windows._asdict())
    counts = np.ones(())
    for extent, positions, size, stride, (low, _) in zip(x.shape[1:-1], total.shape[1:-1], *windows, strict=True):
        begin = np.arange(int(positions)) * stride - low
        counts = np.multiply.outer(counts, np.minimum(begin + size, int(extent)) - np.maximum(begin, 0))
    if (counts == counts.flat[0]).all():
        return total * float(1.0 / counts.flat[0])
    return total * ir.constant(x.graph, 1.0 / counts[..., None])
