"""Repeat vector: a vector in, a sequence of it at every step out."""

from __future__ import annotations

from pydantic import Field

from trainer_cli.ir import language as ir
from trainer_cli.ir.graph import Value
from trainer_cli.parts.layer import Layer, LayerScope


class RepeatVector(Layer):
    """Repeats every row `n` times: `(batch, features)` → `(batch, n, features)`."""

    n: int = Field(gt=0, description="number of steps of the sequence")

    def trace(self, scope: LayerScope, *inputs: Value) -> Value:
        (x,) = inputs
        if x.rank != 2:
            scope.refuse(f"repeats vectors, its input has rows of shape {x.shape[1:]}", hint="put a `flatten` before")
        batch, features = x.shape
        return ir.broadcast_to(ir.reshape(x, (batch, 1, features)), (batch, self.n, features))
