"""Normalization: numbers in, the same numbers less a given mean and divided by a given deviation out."""

from __future__ import annotations

import math

from pydantic import Field

from trainer_cli.ir import language as ir
from trainer_cli.ir.graph import Value
from trainer_cli.lazy import np
from trainer_cli.parts.layer import Layer, LayerScope
from trainer_cli.parts.normalization import Axes, along, counted_axes, extents
from trainer_cli.parts.part import FloatList


class Normalization(Layer):
    """`(x − mean) / max(√variance, 1e-7)` with given numbers, one for each place along `axis`; with `invert`,
    `x · max(√variance, 1e-7) + mean`. `(batch, …)` → the same shape.

    `scaling: standardize` of the data finds such numbers by itself, in the training rows.
    """

    mask_use = "keeps"

    axis: Axes | None = Field(
        default=-1, description="axis or axes that have numbers of their own, the batch axis being 0; null for one"
    )
    mean: float | FloatList = Field(description="one number, or one for each place along `axis`, in row-major order")
    variance: float | FloatList = Field(description="one number, or one for each place along `axis`, likewise")
    invert: bool = Field(default=False, description="whether normalized numbers are turned back")

    def trace(self, scope: LayerScope, *inputs: Value) -> Value:
        (x,) = inputs
        x = ir.cast(x, "float")
        if isinstance(self.variance, tuple):
            deviation: float | tuple[float, ...] = tuple(self._deviation(scope, each) for each in self.variance)
        else:
            deviation = self._deviation(scope, self.variance)
        mean, spread = self._placed(scope, x, "mean", self.mean), self._placed(scope, x, "variance", deviation)
        return x * spread + mean if self.invert else (x - mean) / spread

    @staticmethod
    def _deviation(scope: LayerScope, variance: float) -> float:
        if variance < 0:
            scope.refuse("variances are not negative", field="variance")
        return max(math.sqrt(variance), 1e-7)

    def _placed(self, scope: LayerScope, x: Value, field: str, given: float | tuple[float, ...]) -> Value | float:
        """The numbers in a shape that broadcasts with x."""
        if not isinstance(given, tuple):
            return given
        if self.axis is None:
            scope.refuse("takes one number, for `axis` is null", field=field)
        axes = counted_axes(scope, self.type, self.axis, x)
        shape = extents(x, axes)
        if len(given) != math.prod(shape):
            scope.refuse(f"{len(given)} numbers for the extents {shape} of its input", field=field)
        return along(ir.constant(x.graph, np.reshape(given, shape)), x, axes)
