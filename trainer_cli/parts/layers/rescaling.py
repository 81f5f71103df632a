"""Rescaling: numbers in, multiples of them with an offset out."""

from __future__ import annotations

from pydantic import Field

from trainer_cli.ir import language as ir
from trainer_cli.ir.graph import Value
from trainer_cli.parts.layer import Layer, LayerScope
from trainer_cli.parts.part import FloatList


class Rescaling(Layer):
    """`x · scale + offset`: `(batch, …)` → the same shape. `scale: 0.00392156862745098`, 1/255, makes pixels 0 … 1.

    Lists hold a number for each place of the last axis: one per channel of an image.
    """

    mask_use = "keeps"

    scale: float | FloatList = Field(description="factor, or a list with one for each place of the last axis")
    offset: float | FloatList = Field(default=0.0, description="what is added, or a list likewise")

    def trace(self, scope: LayerScope, *inputs: Value) -> Value:
        (x,) = inputs
        x = ir.cast(x, "float")
        scale = _numbers(scope, x, "scale", self.scale)
        offset = _numbers(scope, x, "offset", self.offset)
        return x * scale + offset


def _numbers(scope: LayerScope, x: Value, field: str, given: float | tuple[float, ...]) -> Value | float:
    if not isinstance(given, tuple):
        return given
    if x.rank < 2 or x.shape[-1] != len(given):
        scope.refuse(f"{len(given)} numbers for a last axis of its input's rows {x.shape[1:]}", field=field)
    return ir.constant(x.graph, given)
