"""Reshape: a value in, the same elements in another shape out."""

from __future__ import annotations

import math
from typing import Annotated

from pydantic import Field, field_validator

from trainer_cli.ir import language as ir
from trainer_cli.ir.graph import BATCH, Value
from trainer_cli.parts.layer import Layer, LayerScope
from trainer_cli.parts.part import IntegerList


class Reshape(Layer):
    """Gives each sample another shape, elements staying in row-major order: `(batch, …)` → `(batch, *target_shape)`."""

    target_shape: Annotated[IntegerList, Field(min_length=1)] = Field(
        description="the new shape without the batch axis; one entry may be -1 and is then worked out"
    )

    @field_validator("target_shape")
    @classmethod
    def _extents(cls, value: tuple[int, ...]) -> tuple[int, ...]:
        if any(extent < 1 and extent != -1 for extent in value):
            raise ValueError("the entries of a shape are positive, or -1 for the one to work out")
        if value.count(-1) > 1:
            raise ValueError("only one entry of a shape can be -1")
        return value

    def trace(self, scope: LayerScope, *inputs: Value) -> Value:
        (x,) = inputs
        count = math.prod(int(extent) for extent in x.shape[1:])
        known = math.prod(extent for extent in self.target_shape if extent != -1)
        if count % known if -1 in self.target_shape else count != known:
            scope.refuse(
                f"{count} elements do not fit {self.target_shape}",
                field="target_shape",
                hint=f"each sample comes in the shape {x.shape[1:]}",
            )
        return ir.reshape(x, (BATCH, *(count // known if extent == -1 else extent for extent in self.target_shape)))
