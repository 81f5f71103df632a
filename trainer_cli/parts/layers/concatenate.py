"""Concatenate: values that differ along one axis at most in, one after the other along that axis out."""

from __future__ import annotations

from pydantic import Field

from trainer_cli.ir import language as ir
from trainer_cli.ir.graph import Value
from trainer_cli.parts.formulas import misfit_axis
from trainer_cli.parts.layer import LayerScope
from trainer_cli.parts.merge import Merge, shapes, together


class Concatenate(Merge):
    """The inputs side by side: `(batch, …, a, …)`, `(batch, …, b, …)`, … → `(batch, …, a + b + …, …)` (as Keras's
    layer)."""

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
        return ir.concatenate(together(inputs), axis)
