"""Layer normalization: values in, the same values with mean 0 and variance 1 within every sample out."""

from __future__ import annotations

from pydantic import Field

from trainer_cli.ir import language as ir
from trainer_cli.ir.graph import Value
from trainer_cli.parts.constraint import ConstraintField
from trainer_cli.parts.initializer import InitializerField
from trainer_cli.parts.layer import Layer, LayerScope
from trainer_cli.parts.normalization import Axes, along, counted_axes, extents
from trainer_cli.parts.regularizer import RegularizerField

ALIASES = ("layer_norm",)


class LayerNormalization(Layer):
    """`(x − mean) / √(variance + epsilon) · gamma + beta`, mean and variance taken along `axis` in every sample by
    itself (Ba, Kiros and Hinton, "Layer normalization", 2016). `(batch, …)` → the same shape.

    Weights: `gamma` and `beta`, one number for each place along `axis`.
    """

    mask_use = "keeps"

    axis: Axes = Field(default=-1, description="axis or axes to normalize along, the batch axis being 0")
    epsilon: float = Field(default=1e-3, gt=0, description="added to the variance, against divisions by 0")
    center: bool = Field(default=True, description="whether `beta` is added")
    scale: bool = Field(default=True, description="whether the result is multiplied by `gamma`")
    beta_initializer: InitializerField = Field(
        default="zeros", validate_default=True, description="first values of `beta`"
    )
    gamma_initializer: InitializerField = Field(
        default="ones", validate_default=True, description="first values of `gamma`"
    )
    beta_regularizer: RegularizerField | None = Field(default=None, description="penalty on `beta`")
    gamma_regularizer: RegularizerField | None = Field(default=None, description="penalty on `gamma`")
    beta_constraint: ConstraintField | None = Field(default=None, description="projection of the updated `beta`")
    gamma_constraint: ConstraintField | None = Field(default=None, description="projection of the updated `gamma`")

    def trace(self, scope: LayerScope, *inputs: Value) -> Value:
        (x,) = inputs
        axes = counted_axes(scope, self.type, self.axis, x)
        # The mean goes first: squares of numbers far from 0 would lose the digits that the variance is made of.
        centered = x - ir.reduce_mean(x, axes, keepdims=True)
        variance = ir.reduce_mean(ir.square(centered), axes, keepdims=True)
        result = centered / ir.sqrt(variance + self.epsilon)
        if self.scale:
            gamma = scope.weight(
                "gamma",
                extents(x, axes),
                self.gamma_initializer,
                regularizer=self.gamma_regularizer,
                constraint=self.gamma_constraint,
            )
            result = result * along(gamma, x, axes)
        if self.center:
            beta = scope.weight(
                "beta",
                extents(x, axes),
                self.beta_initializer,
                regularizer=self.beta_regularizer,
                constraint=self.beta_constraint,
            )
            result = result + along(beta, x, axes)
        return result
