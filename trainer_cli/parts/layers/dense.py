"""Dense: features in, weighted sums of all of them out, then an activation."""

from __future__ import annotations

from pydantic import Field

from trainer_cli.ir import language as ir
from trainer_cli.ir.graph import Value
from trainer_cli.parts.activation import ActivationField
from trainer_cli.parts.layer import LayerScope
from trainer_cli.parts.weighted import Weighted


class Dense(Weighted):
    """`activation(x · kernel + bias)` along the last axis: `(batch, …, inputs)` → `(batch, …, units)`.

    Weights: `kernel` `(inputs, units)` and, with `use_bias`, `bias` `(units,)`.
    """

    mask_use = "keeps"

    units: int = Field(gt=0, description="number of outputs")
    activation: ActivationField = Field(
        default="linear", validate_default=True, description="function applied to the weighted sums"
    )
    use_bias: bool = Field(default=True, description="whether a bias is added")

    def trace(self, scope: LayerScope, *inputs: Value) -> Value:
        (x,) = inputs
        if x.rank < 2:
            scope.refuse("needs an axis of features, its input has the batch axis alone")
        features = int(x.shape[-1])
        kernel = self.weight(scope, "kernel", (features, self.units))
        lead = "abcdefgh"[: x.rank - 1]
        result = ir.contract(f"{lead}i,io->{lead}o", x, kernel)
        if self.use_bias:
            result = result + self.weight(scope, "bias", (self.units,))
        return scope.activate(self.activation, result)
