"""Discretization: numbers in, for each the number of the bin that it falls into out."""

from __future__ import annotations

import itertools
from typing import Annotated, Literal

from pydantic import Field, field_validator

from trainer_cli.ir import language as ir
from trainer_cli.ir.graph import Value
from trainer_cli.parts.categories import encoded
from trainer_cli.parts.layer import Layer, LayerScope
from trainer_cli.parts.part import FloatList


class Discretization(Layer):
    """The number of boundaries that x reaches: bin 0 holds what is less than the first one, the last bin what is not
    less than the last. `(batch, …)` → the same shape in whole numbers, or as `category_encoding` makes of them.
    """

    bin_boundaries: Annotated[FloatList, Field(min_length=1)] = Field(
        description="where bins begin but the first one, in ascending order"
    )
    output_mode: Literal["int", "one_hot", "multi_hot", "count"] = Field(
        default="int", description="`int`: numbers of bins; else what `category_encoding` makes of them"
    )

    @field_validator("bin_boundaries")
    @classmethod
    def _ascending(cls, value: tuple[float, ...]) -> tuple[float, ...]:
        if any(second <= first for first, second in itertools.pairwise(value)):
            raise ValueError("boundaries stand in ascending order")
        return value

    def trace(self, scope: LayerScope, *inputs: Value) -> Value:
        (x,) = inputs
        x = ir.cast(x, "float")
        count = len(self.bin_boundaries)
        wide = ir.broadcast_to(ir.reshape(x, (*x.shape, 1)), (*x.shape, count))
        reached = ir.cast(ir.greater_equal(wide, ir.constant(x.graph, self.bin_boundaries)), "float")
        bins = ir.cast(ir.reduce_sum(reached, -1), "int")
        return bins if self.output_mode == "int" else encoded(bins, count + 1, self.output_mode)
