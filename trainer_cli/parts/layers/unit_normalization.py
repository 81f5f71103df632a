"""Unit normalization: values in, the same values brought to Euclidean length 1 within every sample out."""

from __future__ import annotations

from pydantic import Field

from trainer_cli.ir.graph import Value
from trainer_cli.parts.layer import Layer, LayerScope
from trainer_cli.parts.lengths import unit_length
from trainer_cli.parts.normalization import Axes, counted_axes

ALIASES = ("unit_norm",)


class UnitNormalization(Layer):
    """`x / ‖x‖`, the norm being taken along `axis` in every sample by itself; a vector of zeros stays as it is.
    `(batch, …)` → the same shape.
    """

    mask_use = "keeps"

    axis: Axes = Field(default=-1, description="axis or axes along which a vector lies, the batch axis being 0")

    def trace(self, scope: LayerScope, *inputs: Value) -> Value:
        (x,) = inputs
        return unit_length(x, counted_axes(scope, self.type, self.axis, x))
