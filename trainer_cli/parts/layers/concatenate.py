"""Concatenate: values that differ along one axis at most in, one after the other along that axis out."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import Field

from trainer_cli.ir import language as ir
from trainer_cli.ir.graph import Value
from trainer_cli.parts.formulas import misfit_axis
from trainer_cli.parts.layer import LayerScope
from trainer_cli.parts.merge import Merge, shapes, together


class Concatenate(Merge):
    """The inputs side by side: `(batch, …, a, …)`, `(batch, …, b, …)`, … → `(batch, …, a + b + …, …)` (as Keras's
    layer)."""

    mask_use = "reads"

    axis: int = Field(default=-1, description="axis along which the inputs are joined, the batch axis being 0")

    def trace(self, scope: LayerScope, *inputs: Value) -> Value:
        first = inputs[0]
        if any(x.rank != first.rank for x in inputs):
            scope.refuse(f"its inputs of shape {shapes(inputs)} have different numbers of axes")
        misfit = misfit_axis(self.type, self.axis, first.shape)
        if misfit is not None:
            scope.refuse(misfit, field="axis")
        axis = self.axis % first.rank
        if len({(*x.shape[:axis], *x.shape[axis + 1 :]) for x in inputs}) > 1:
            scope.refuse(
                f"its inputs of shape {shapes(inputs)} differ along other axes than {self.axis}",
                field="axis",
                hint="axes are counted with the batch axis as 0",
            )
        scope.give_mask(_joined(scope.masks, inputs, axis))
        return ir.concatenate(together(inputs), axis)


def _joined(masks: Sequence[Value | None], inputs: Sequence[Value], axis: int) -> Value | None:
    """The mask of inputs side by side: a step counts if it does so in all of them, or one after the other in time."""
    given = [mask for mask in masks if mask is not None]
    if not given:
        return None
    if axis >= given[0].rank:
        both = given[0]
        for other in given[1:]:
            both = both if other is both else ir.logical_and(both, other)
        return both
    steps: list[Value] = []
    for mask, x in zip(masks, inputs, strict=True):
        everywhere = ir.broadcast_to(ir.constant(x.graph, True, "bool"), x.shape[: given[0].rank])
        steps.append(everywhere if mask is None else mask)
    return ir.concatenate(steps, axis)
