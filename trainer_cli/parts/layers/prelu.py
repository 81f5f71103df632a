"""Parametric ReLU: a value in, itself where positive and a learned fraction of it elsewhere out."""

from __future__ import annotations

from pydantic import Field

from trainer_cli.ir import language as ir
from trainer_cli.ir.graph import Value
from trainer_cli.parts.constraint import ConstraintField
from trainer_cli.parts.formulas import misfit_axis
from trainer_cli.parts.initializer import InitializerField
from trainer_cli.parts.layer import Layer, LayerScope
from trainer_cli.parts.normalization import Axes
from trainer_cli.parts.regularizer import RegularizerField

ALIASES = ("p_re_lu", "p_relu")


class Prelu(Layer):
    """`x` where x > 0, `alpha · x` elsewhere, element by element (He, Zhang, Ren and Sun, "Delving deep into
    rectifiers", 2015). `(batch, …)` → the same shape.

    Weight: `alpha`, of the shape of a row, with extent 1 along the `shared_axes`: in a network of convolutions,
    `shared_axes: [1, 2]` gives each channel one slope.
    """

    mask_use = "keeps"

    alpha_initializer: InitializerField = Field(
        default="zeros", validate_default=True, description="first values of the slopes"
    )
    alpha_regularizer: RegularizerField | None = Field(default=None, description="penalty on the slopes")
    alpha_constraint: ConstraintField | None = Field(default=None, description="projection of the updated slopes")
    shared_axes: Axes | None = Field(
        default=None, description="axes along which one slope serves all, the batch being 0"
    )

    def trace(self, scope: LayerScope, *inputs: Value) -> Value:
        (x,) = inputs
        listed = (self.shared_axes,) if isinstance(self.shared_axes, int) else self.shared_axes or ()
        for axis in listed:
            misfit = misfit_axis(self.type, axis, x.shape)
            if misfit is not None:
                scope.refuse(misfit, field="shared_axes")
        shared = {axis % x.rank for axis in listed}
        alpha = self.weight(
            scope,
            "alpha",
            tuple(1 if axis in shared else int(extent) for axis, extent in enumerate(x.shape) if axis > 0),
        )
        return ir.maximum(x, 0.0) - ir.maximum(-x, 0.0) * alpha
