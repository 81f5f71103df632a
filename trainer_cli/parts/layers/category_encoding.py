"""Category encoding: whole numbers in, indicators or counts of them out."""

from __future__ import annotations

from pydantic import Field

from trainer_cli.ir.graph import Value
from trainer_cli.parts.categories import Encoding, check_whole, encoded
from trainer_cli.parts.layer import Layer, LayerScope


class CategoryEncoding(Layer):
    """Categories, whole numbers from 0 to `num_tokens - 1`, as numbers to calculate with: `(batch, places)` →
    `(batch, num_tokens)`, with `one_hot` `(batch, …)` → `(batch, …, num_tokens)`, a last extent of 1 making place for
    it. The model begins with an `input` layer of `dtype: int32`; data with other numbers is refused when it is read.
    """

    num_tokens: int = Field(gt=0, description="number of categories: the largest number plus 1")
    output_mode: Encoding = Field(
        default="multi_hot",
        description="`multi_hot`: 1 for each category that a row has; `count`: how often it has it; `one_hot`: an "
        "indicator for each number",
    )

    def trace(self, scope: LayerScope, *inputs: Value) -> Value:
        (x,) = inputs
        check_whole(scope, x)
        if x.op == "input":
            scope.expect_below(x, self.num_tokens)
        return encoded(x, self.num_tokens, self.output_mode)
