"""Permute: a value in, the same value with the axes of its rows in another order out."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, field_validator

from trainer_cli.ir import language as ir
from trainer_cli.ir.graph import Value
from trainer_cli.parts.layer import Layer, LayerScope
from trainer_cli.parts.part import IntegerList


class Permute(Layer):
    """Axis `i` of a result's row is axis `dims[i]` of the input: `(batch, …)` → `(batch, …)`, the batch staying first.

    With `dims: [2, 1]`, `(batch, time, features)` → `(batch, features, time)`.
    """

    dims: Annotated[IntegerList, Field(min_length=1)] = Field(
        description="the axes of the input in their new order, counted from 1: axis 0 is the batch"
    )

    @field_validator("dims")
    @classmethod
    def _order(cls, value: tuple[int, ...]) -> tuple[int, ...]:
        if sorted(value) != list(range(1, len(value) + 1)):
            raise ValueError(f"the numbers from 1 to {len(value)} stand in `dims`, each once")
        return value

    def trace(self, scope: LayerScope, *inputs: Value) -> Value:
        (x,) = inputs
        if len(self.dims) != x.rank - 1:
            scope.refuse(f"orders {len(self.dims)} axes, but its input has rows of shape {x.shape[1:]}", field="dims")
        return ir.transpose(x, (0, *self.dims))
