"""Dense: features in, weighted sums of all of them out, then an activation."""

from __future__ import annotations

from pydantic import Field

from trainer_cli.ir import language as ir
from trainer_cli.ir.graph import Value
from trainer_cli.parts.activation import ActivationField
from trainer_cli.parts.constraint import ConstraintField
from trainer_cli.parts.initializer import InitializerField
from trainer_cli.parts.layer import Layer, LayerScope
from trainer_cli.parts.regularizer import RegularizerField


class Dense(Layer):
    """`activation(x · kernel + bias)` along the last axis: `(batch, …, inputs)` → `(batch, …, units)`.

    Weights: `kernel` `(inputs, units)` and, with `use_bias`, `bias` `(units,)`.
    """

    mask_use = "keeps"

    units: int = Field(gt=0, description="number of outputs")
    activation: ActivationField = Field(
        default="linear", validate_default=True, description="function applied to the weighted sums"
    )
    use_bias: bool = Field(default=True, description="whether a bias is added")
    kernel_initializer: InitializerField = Field(
        default="glorot_uniform", validate_default=True, description="first values of the kernel"
    )
    bias_initializer: InitializerField = Field(
        default="zeros", validate_default=True, description="first values of the bias"
    )
    kernel_regularizer: RegularizerField | None = Field(default=None, description="penalty on the kernel")
    bias_regularizer: RegularizerField | None = Field(default=None, description="penalty on the bias")
    kernel_constraint: ConstraintField | None = Field(default=None, description="projection of the updated kernel")
    bias_constraint: ConstraintField | None = Field(default=None, description="projection of the updated bias")

    def trace(self, scope: LayerScope, *inputs: Value) -> Value:
        (x,) = inputs
        if x.rank < 2:
            scope.refuse("needs an axis of features, its input has the batch axis alone")
        features = int(x.shape[-1])
        kernel = scope.weight(
            "kernel",
            (features, self.units),
            self.kernel_initializer,
            regularizer=self.kernel_regularizer,
            constraint=self.kernel_constraint,
        )
        lead = "abcdefgh"[: x.rank - 1]
        result = ir.contract(f"{lead}i,io->{lead}o", x, kernel)
        if self.use_bias:
            bias = scope.weight(
                "bias",
                (self.units,),
                self.bias_initializer,
                regularizer=self.bias_regularizer,
                constraint=self.bias_constraint,
            )
            result = result + bias
        return scope.activate(self.activation, result)
