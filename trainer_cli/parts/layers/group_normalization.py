"""Group normalization: values in, the same values with mean 0 and variance 1 within groups of channels out."""

from __future__ import annotations

from typing import Self

from pydantic import Field, model_validator

from trainer_cli.ir import language as ir
from trainer_cli.ir.graph import Value
from trainer_cli.parts.layer import LayerScope
from trainer_cli.parts.normalization import counted_axes
from trainer_cli.parts.scaling import Scaling

ALIASES = ("group_norm",)


class GroupNormalization(Scaling):
    """`(x − mean) / √(variance + epsilon) · gamma + beta`, mean and variance being taken in every sample by itself,
    over all places of a group of neighbours along `axis` (Wu and He, "Group normalization", 2018). `(batch, …)` → the
    same shape.

    Weights: `gamma` and `beta`, each `(extent of axis,)`.
    """

    mask_use = "keeps"

    groups: int = Field(default=32, ge=-1, description="number of groups; -1 for one per channel")
    axis: int = Field(default=-1, description="axis of the channels, the batch axis being 0")

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
        result = ir.reshape(ir.standardize(apart, reduced, self.epsilon), x.shape)
        return self.scaled(scope, result, axes)
