"""Group normalization: values in, the same values with mean 0 and variance 1 within groups of channels out."""

from __future__ import annotations

from typing import Self

from pydantic import Field, model_validator

from trainer_cli.ir import language as ir
from trainer_cli.ir.graph import Value
from trainer_cli.parts.constraint import ConstraintField
from trainer_cli.parts.initializer import InitializerField
from trainer_cli.parts.layer import Layer, LayerScope
from trainer_cli.parts.normalization import along, counted_axes, extents
from trainer_cli.parts.regularizer import RegularizerField

ALIASES = ("group_norm",)


class GroupNormalization(Layer):
    """`(x − mean) / √(variance + epsilon) · gamma + beta`, mean and variance being taken in every sample by itself,
    over all places of a group of neighbours along `axis` (Wu and He, "Group normalization", 2018). `(batch, …)` → the
    same shape.

    Weights: `gamma` and `beta`, each `(extent of axis,)`.
    """

    mask_use = "keeps"

    groups: int = Field(default=32, ge=-1, description="number of groups; -1 for one per channel")
    axis: int = Field(default=-1, description="axis of the channels, the batch axis being 0")
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

    @model_validator(mode="after")
    def _some(self) -> Self:
        if self.groups == 0:
            raise ValueError("`groups` is 1 or more, or -1 for one per channel")
        return self

    def trace(self, scope: LayerScope, *inputs: Value) -> Value:
        (x,) = inputs
        (axis,) = axes = counted_axes(scope, self.type, self.axis, x)
        channels = int(x.shape[axis])
        groups = channels if self.groups == -1 else self.groups
        if channels % groups:
            scope.refuse(f"{channels} channels do not divide into {groups} groups", field="groups")
        apart = ir.reshape(x, (*x.shape[:axis], groups, channels // groups, *x.shape[axis + 1 :]))
        reduced = [other for other in range(1, apart.rank) if other != axis]
        # The mean goes first: squares of numbers far from 0 would lose the digits that the variance is made of.
        centered = apart - ir.reduce_mean(apart, reduced, keepdims=True)
        variance = ir.reduce_mean(ir.square(centered), reduced, keepdims=True)
        result = ir.reshape(centered / ir.sqrt(variance + self.epsilon), x.shape)
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
