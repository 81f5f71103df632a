"""What transposed convolutions share: values in, larger ones that a convolution would turn into theirs out."""

from __future__ import annotations

from typing import Self

from pydantic import Field, model_validator

from trainer_cli.ir.graph import Value
from trainer_cli.parts.convolution import Kernels, Padding, Sizes, check_sizes, per_dimension
from trainer_cli.parts.layer import LayerScope
from trainer_cli.parts.space import space_of


class TransposedConvolution(Kernels):
    """The adjoint of a convolution with the same arguments, channels last.

    An extent `n` becomes `n · stride` with padding `same` and `n · stride + max(reach − stride, 0)` with `valid`, where
    `reach = (kernel_size − 1) · dilation_rate + 1`; with `output_padding`, `(n − 1) · stride + reach + output_padding`,
    less `2 · ⌊reach / 2⌋` with `same`.
    """

    padding: Padding = Field(default="valid", description="`same` multiplies extents by the strides")
    output_padding: Sizes | None = Field(
        default=None, description="places added at the end, per dimension; less than the strides"
    )

    @model_validator(mode="after")
    def _output(self) -> Self:
        if self.output_padding is not None:
            check_sizes("output_padding", self.output_padding, self.dimensions, least=0)
            added = per_dimension(self.output_padding, self.dimensions)
            strides = per_dimension(self.strides, self.dimensions)
            if any(more >= stride for more, stride in zip(added, strides, strict=True)):
                raise ValueError("`output_padding` must be less than `strides`")
        return self

    def trace(self, scope: LayerScope, *inputs: Value) -> Value:
        (x,) = inputs
        space, pads = [], []
        window, strides, dilation = (
            per_dimension(sizes, self.dimensions) for sizes in (self.kernel_size, self.strides, self.dilation_rate)
        )
        nothing = (None,) * self.dimensions
        added = nothing if self.output_padding is None else per_dimension(self.output_padding, self.dimensions)
        given = zip(space_of(scope, x, self.dimensions), window, strides, dilation, added, strict=True)
        for extent, size, stride, apart, more in given:
            reach = (size - 1) * apart + 1
            if more is None:
                longer = extent * stride + (max(reach - stride, 0) if self.padding == "valid" else 0)
            else:
                longer = (extent - 1) * stride + reach + more - (2 * (reach // 2) if self.padding == "same" else 0)
            if longer < 1:
                scope.refuse(f"nothing is left of {tuple(x.shape[1:-1])} with this window", field="kernel_size")
            total = max((extent - 1) * stride + reach - longer, 0)
            space.append(longer)
            pads.append((total // 2, total - total // 2))
        kernel = self.kernel(scope, (self.filters, int(x.shape[-1])))
        geometry = {"strides": strides, "padding": tuple(pads), "dilation": dilation, "groups": 1}
        emitted = x.graph.emit("convolve_input_gradient", (x, kernel), space=tuple(space), **geometry)
        return self.finish(scope, emitted)
