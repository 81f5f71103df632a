"""Subtract: two values of shapes that broadcast in, the first less the second out."""

from __future__ import annotations

from typing import ClassVar

from trainer_cli.ir import language as ir
from trainer_cli.ir.graph import Value
from trainer_cli.parts.layer import LayerScope
from trainer_cli.parts.merge import Merge, accumulate


class Subtract(Merge):
    """`x₁ − x₂`, element by element: two of `(batch, …)` → their common shape (as Keras's layer)."""

    input_count: ClassVar[tuple[int, int | None]] = (2, 2)

    def trace(self, scope: LayerScope, *inputs: Value) -> Value:
        return accumulate(scope, inputs, ir.subtract)
