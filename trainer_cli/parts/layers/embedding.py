"""Embedding: whole numbers in, for each the row of a learned table that it names out."""

from __future__ import annotations

from pydantic import Field

from trainer_cli.ir import language as ir
from trainer_cli.ir.graph import Value
from trainer_cli.parts.categories import check_whole
from trainer_cli.parts.constraint import ConstraintField
from trainer_cli.parts.initializer import InitializerField
from trainer_cli.parts.layer import Layer, LayerScope
from trainer_cli.parts.regularizer import RegularizerField


class Embedding(Layer):
    """`embeddings[x]`, tokens as vectors: `(batch, …)` whole numbers from 0 to `input_dim - 1` → `(batch, …,
    output_dim)`. The model begins with an `input` layer of `dtype: int32`; data with other numbers is refused when it
    is read.

    Weight: `embeddings` `(input_dim, output_dim)`.
    """

    mask_use = "reads"

    input_dim: int = Field(gt=0, description="number of different tokens: the largest plus 1")
    output_dim: int = Field(gt=0, description="length of the vector that stands for a token")
    embeddings_initializer: InitializerField = Field(
        default="random_uniform", validate_default=True, description="first values of the table"
    )
    embeddings_regularizer: RegularizerField | None = Field(default=None, description="penalty on the table")
    embeddings_constraint: ConstraintField | None = Field(default=None, description="projection of the updated table")
    mask_zero: bool = Field(default=False, description="whether the token 0 is padding, which layers behind pass over")

    def trace(self, scope: LayerScope, *inputs: Value) -> Value:
        (x,) = inputs
        check_whole(scope, x)
        scope.expect_below(x, self.input_dim)
        if self.mask_zero:
            scope.give_mask(ir.not_equal(x, 0))
        table = self.weight(scope, "embeddings", (self.input_dim, self.output_dim))
        return ir.gather(table, x)
