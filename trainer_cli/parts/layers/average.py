"""Average: values of shapes that broadcast in, their mean at every element out."""

from __future__ import annotations

from trainer_cli.ir import language as ir
from trainer_cli.ir.graph import Value
from trainer_cli.parts.layer import LayerScope
from trainer_cli.parts.merge import Merge, accumulate


class Average(Merge):
    """`(x₁ + … + xₙ) / n`, element by element: any number of `(batch, …)` → their common shape (as Keras's layer)."""

    def trace(self, scope: LayerScope, *inputs: Value) -> Value:
        return ir.cast(accumulate(scope, inputs, ir.add), "float") / float(len(inputs))
