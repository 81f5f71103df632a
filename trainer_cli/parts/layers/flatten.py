"""Flatten: a value of any shape in, one row of numbers per sample out."""

from __future__ import annotations

import math

from trainer_cli.ir import language as ir
from trainer_cli.ir.graph import BATCH, Value
from trainer_cli.parts.layer import Layer, LayerScope


class Flatten(Layer):
    """All axes but the batch's become one, in row-major order: `(batch, a, b, …)` → `(batch, a·b·…)`."""

    def trace(self, scope: LayerScope, *inputs: Value) -> Value:
        (x,) = inputs
        return ir.reshape(x, (BATCH, math.prod(int(extent) for extent in x.shape[1:])))
