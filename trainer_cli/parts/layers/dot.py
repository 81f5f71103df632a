"""Dot: two values in, the products of their vectors along one axis of each out."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import Field

from trainer_cli.ir import language as ir
from trainer_cli.ir.graph import BATCH, Value
from trainer_cli.parts.formulas import misfit_axis
from trainer_cli.parts.layer import LayerScope
from trainer_cli.parts.merge import Merge, shapes, together
from trainer_cli.parts.part import IntegerList

LEAST_NORM = 1e-7
"""A norm below this counts as this much, as in Keras."""


class Dot(Merge):
    """Sums of products along one axis of either input, sample by sample: `(batch, …, n, …)`, `(batch, …, n, …)` →
    `(batch, <axes left of the first>, <axes left of the second>)`, or `(batch, 1)` if none is left (as Keras's layer).
    """

    input_count: ClassVar[tuple[int, int | None]] = (2, 2)

    axes: int | Annotated[IntegerList, Field(min_length=2, max_length=2)] = Field(
        description="axis to sum along, the batch axis being 0; or one for each input"
    )
    normalize: bool = Field(
        default=False, description="whether the vectors get length 1 first, so that the result is their cosine"
    )

    def trace(self, scope: LayerScope, *inputs: Value) -> Value:
        axes = []
        for x, given in zip(inputs, (self.axes,) * 2 if isinstance(self.axes, int) else self.axes, strict=True):
            misfit = misfit_axis(self.type, given, x.shape)
            if misfit is not None:
                scope.refuse(misfit, field="axes")
            axes.append(given % x.rank)
        extents = [x.shape[axis] for x, axis in zip(inputs, axes, strict=True)]
        if extents[0] != extents[1]:
            scope.refuse(
                f"its inputs of shape {shapes(inputs)} have {extents[0]} and {extents[1]} elements along their axes",
                field="axes",
                hint="axes are counted with the batch axis as 0",
            )
        x, y = (ir.cast(value, "float") for value in together(inputs))
        if self.normalize:
            x, y = _normal(x, axes[0]), _normal(y, axes[1])
        first, second = list("abcdefgh"[: x.rank]), list("ijklmnop"[: y.rank])
        first[0] = second[0] = "z"
        first[axes[0]] = second[axes[1]] = "s"
        left = "".join(label for label in (*first, *second[1:]) if label != "s")
        result = ir.contract(f"{''.join(first)},{''.join(second)}->{left}", x, y)
        return ir.reshape(result, (BATCH, 1)) if result.rank == 1 else result


def _normal(x: Value, axis: int) -> Value:
    """Vectors along an axis, scaled to length 1; the limit stands inside the root, where it keeps gradients finite."""
    squares = ir.reduce_sum(ir.square(x), axis, keepdims=True)
    return x / ir.sqrt(ir.maximum(squares, LEAST_NORM**2))
