"""Input: a batch of data in, the same batch out, after its rows had the shape that the config says."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, field_validator

from trainer_cli.ir.graph import Value
from trainer_cli.parts.layer import Layer, LayerScope
from trainer_cli.parts.part import IntegerList

ALIASES = ("input_layer",)


class Input(Layer):
    """States the shape of one row, without the batch axis: `(batch, *shape)` → `(batch, *shape)`.

    Only the first layer can be an input. It is needed where no data says the shape, and refuses data of another. With
    `dtype: int32` the rows are whole numbers, such as the tokens that an `embedding` takes; they are never scaled.
    """

    mask_use = "keeps"

    shape: Annotated[IntegerList, Field(min_length=1)] = Field(description="shape of one row, such as [28, 28]")
    dtype: Literal["float32", "int32"] = Field(
        default="float32", description="type of the elements: float32, or int32 for whole numbers such as tokens"
    )

    @field_validator("shape")
    @classmethod
    def _extents(cls, value: tuple[int, ...]) -> tuple[int, ...]:
        if any(extent < 1 for extent in value):
            raise ValueError("the entries of a shape are positive")
        return value

    def trace(self, scope: LayerScope, *inputs: Value) -> Value:
        (x,) = inputs
        if x.shape[1:] != self.shape:
            scope.refuse(f"rows come in the shape {x.shape[1:]}, not {self.shape}", field="shape")
        return x
