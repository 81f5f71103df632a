"""What normalizing layers learn: normalized values in, the same values times a scale and plus an offset out."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import Field

from trainer_cli.ir.graph import Value
from trainer_cli.parts.constraint import ConstraintField
from trainer_cli.parts.initializer import InitializerField
from trainer_cli.parts.layer import Layer, LayerScope
from trainer_cli.parts.normalization import along, extents
from trainer_cli.parts.regularizer import RegularizerField


class Scaling(Layer):
    """A normalizing layer with a learned scale `gamma` and a learned offset `beta`, one of each along its axes."""

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

    def gamma_and_beta(self, scope: LayerScope, x: Value, axes: Sequence[int]) -> tuple[Value | None, Value | None]:
        """The scale and the offset, of the extents along the axes; None for one that the layer does not have."""
        gamma = self.weight(scope, "gamma", extents(x, axes)) if self.scale else None
        return gamma, self.weight(scope, "beta", extents(x, axes)) if self.center else None

    def scaled(self, scope: LayerScope, normalized: Value, axes: Sequence[int]) -> Value:
        """`normalized · gamma + beta`."""
        gamma, beta = self.gamma_and_beta(scope, normalized, axes)
        result = normalized if gamma is None else normalized * along(gamma, normalized, axes)
        return result if beta is None else result + along(beta, normalized, axes)
