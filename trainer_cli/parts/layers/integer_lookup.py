"""Integer lookup: whole numbers in, for each its place in a vocabulary out."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, field_validator

from trainer_cli.ir import language as ir
from trainer_cli.ir.graph import Value
from trainer_cli.parts.categories import check_whole, encoded
from trainer_cli.parts.layer import Layer, LayerScope
from trainer_cli.parts.part import IntegerList


class IntegerLookup(Layer):
    """Whole numbers as places in a vocabulary: 0 for those that are not in it, then 1, 2, … in its order; with
    `mask_token`, that number has place 0, unknown ones 1, and the vocabulary begins with 2. `(batch, …)` → the same
    shape in whole numbers, or as `category_encoding` makes of them. The model begins with an `input` layer of `dtype:
    int32`.
    """

    vocabulary: Annotated[IntegerList, Field(min_length=1)] = Field(description="the numbers that are known, in order")
    mask_token: int | None = Field(default=None, description="the number that stands for padding, if there is one")
    output_mode: Literal["int", "one_hot", "multi_hot", "count"] = Field(
        default="int", description="`int`: places; else what `category_encoding` makes of them"
    )

    @field_validator("vocabulary")
    @classmethod
    def _different(cls, value: tuple[int, ...]) -> tuple[int, ...]:
        if len(set(value)) < len(value):
            raise ValueError("a number stands twice in `vocabulary`")
        return value

    def trace(self, scope: LayerScope, *inputs: Value) -> Value:
        (x,) = inputs
        check_whole(scope, x)
        unknown = 0 if self.mask_token is None else 1
        known = self.vocabulary if self.mask_token is None else (self.mask_token, *self.vocabulary)
        numbers = [place + 1 for place in range(len(known))] if unknown == 0 else [0, *range(2, len(known) + 1)]
        wide = ir.broadcast_to(ir.reshape(x, (*x.shape, 1)), (*x.shape, len(known)))
        same = ir.cast(ir.equal(wide, ir.broadcast_to(ir.constant(x.graph, known, "int"), wide.shape)), "float")
        # Every known number moves away from the place of the unknown ones.
        moves = ir.constant(x.graph, [float(number - unknown) for number in numbers])
        places = ir.cast(ir.reduce_sum(same * moves, -1) + float(unknown), "int")
        depth = len(self.vocabulary) + 1 + unknown
        return places if self.output_mode == "int" else encoded(places, depth, self.output_mode)
