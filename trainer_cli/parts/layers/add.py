"""Add: values of shapes that broadcast in, their sum out."""

from __future__ import annotations

from trainer_cli.ir import language as ir
from trainer_cli.ir.graph import Value
from trainer_cli.parts.layer import LayerScope
from trainer_cli.parts.merge import Merge, accumulate


class Add(Merge):
    """`x₁ + x₂ + …`, element by element: any number of `(batch, …)` → their common shape (as Keras's layer)."""

    def trace(self, scope: LayerScope, *inputs: Value) -> Value:
        return accumulate(scope, inputs, ir.add)
