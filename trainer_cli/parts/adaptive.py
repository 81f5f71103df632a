"""What adaptive poolings share: values in, a wanted number of means or maxima of windows that cover them out."""

from __future__ import annotations

from abc import abstractmethod
from typing import ClassVar, Self

from pydantic import Field, model_validator

from trainer_cli.ir import language as ir
from trainer_cli.ir.graph import Value
from trainer_cli.lazy import np
from trainer_cli.parts.convolution import Sizes, check_sizes, per_dimension
from trainer_cli.parts.layer import Layer, LayerScope
from trainer_cli.parts.space import space_of


def windows(extent: int, wanted: int) -> list[tuple[int, int]]:
    """Where each window begins and ends: from `⌊i · extent / wanted⌋` to `⌈(i + 1) · extent / wanted⌉`."""
    return [(place * extent // wanted, -(-(place + 1) * extent // wanted)) for place in range(wanted)]


class AdaptivePooling(Layer):
    """A layer that makes a result of a given size of any input, channels last."""

    dimensions: ClassVar[int]

    output_size: Sizes = Field(description="extents of the result, per dimension")

    @model_validator(mode="after")
    def _positive(self) -> Self:
        check_sizes("output_size", self.output_size, self.dimensions)
        return self

    @abstractmethod
    def pooled(self, x: Value, axis: int, wanted: int) -> Value:
        """The windows along one axis."""

    def trace(self, scope: LayerScope, *inputs: Value) -> Value:
        (x,) = inputs
        space_of(scope, x, self.dimensions)
        for axis, wanted in enumerate(per_dimension(self.output_size, self.dimensions), 1):
            if wanted != x.shape[axis]:
                x = self.pooled(x, axis, wanted)
        return x


class AdaptiveAverage(AdaptivePooling):
    """Means of windows: those of a rectangle are means of means, one dimension after the other."""

    def pooled(self, x: Value, axis: int, wanted: int) -> Value:
        extent = int(x.shape[axis])
        weights = np.zeros((wanted, extent))
        for place, (begin, end) in enumerate(windows(extent, wanted)):
            weights[place, begin:end] = 1.0 / (end - begin)
        labels = "bdhwc"[: x.rank]
        made = labels.replace(labels[axis], "o")
        return ir.contract(f"o{labels[axis]},{labels}->{made}", ir.constant(x.graph, weights), x)


class AdaptiveMaximum(AdaptivePooling):
    """Maxima of windows, one dimension after the other."""

    def pooled(self, x: Value, axis: int, wanted: int) -> Value:
        found = []
        for begin, end in windows(int(x.shape[axis]), wanted):
            starts, stops = [0] * x.rank, list(x.shape)
            starts[axis], stops[axis] = begin, end
            found.append(ir.reduce_max(ir.slice_(x, starts, stops), axis, keepdims=True))
        return ir.concatenate(found, axis) if len(found) > 1 else found[0]
