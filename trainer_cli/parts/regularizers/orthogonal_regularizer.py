"""Orthogonal regularizer: a matrix in, a multiple of the mean cosine of its rows or columns with each other out."""

from __future__ import annotations

import math
from typing import Literal

from pydantic import Field

from trainer_cli.ir import language as ir
from trainer_cli.ir.graph import Value
from trainer_cli.ir.primitive import Shape
from trainer_cli.parts.lengths import unit_length
from trainer_cli.parts.regularizer import Regularizer

ALIASES = ("orthogonal",)


class OrthogonalRegularizer(Regularizer):
    """`factor · mean |cos(wᵢ, wⱼ)|` over all pairs of different rows, or columns, of a matrix (as in Keras; Brock, Lim,
    Ritchie and Weston, "Neural photo editing with introspective adversarial networks", 2017).

    Weights of other ranks count as matrices of all axes but the last by the last (Keras refuses them).
    """

    factor: float = Field(default=0.01, ge=0, description="factor on the mean")
    mode: Literal["rows", "columns"] = Field(default="rows", description="what shall be orthogonal to each other")

    def misfit(self, shape: Shape) -> str | None:
        return "compares the vectors of a matrix, and a batch has any number of rows"

    def penalty(self, weight: Value) -> Value:
        columns = int(weight.shape[-1]) if weight.rank else 1
        count = math.prod(int(extent) for extent in weight.shape)
        matrix = ir.reshape(weight, (count // columns, columns))
        vectors = matrix if self.mode == "rows" else ir.transpose(matrix, (1, 0))
        size = int(vectors.shape[0])
        if size < 2:
            return ir.constant(weight.graph, 0.0) * ir.reduce_sum(weight)
        unit = unit_length(vectors, 1)
        cosines = ir.absolute(ir.contract("ai,bi->ab", unit, unit))
        others = ir.select(ir.equal(ir.iota(cosines, 0), ir.iota(cosines, 1)), 0.0, cosines)
        return ir.reduce_sum(others) * (self.factor / (size * (size - 1.0)))
