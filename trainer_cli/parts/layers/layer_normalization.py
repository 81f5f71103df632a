"""Layer normalization: values in, the same values with mean 0 and variance 1 within every sample out."""

from __future__ import annotations

from pydantic import Field

from trainer_cli.ir import language as ir
from trainer_cli.ir.graph import Value
from trainer_cli.parts.layer import LayerScope
from trainer_cli.parts.normalization import Axes, counted_axes
from trainer_cli.parts.scaling import Scaling

ALIASES = ("layer_norm",)


class LayerNormalization(Scaling):
    """`(x − mean) / √(variance + epsilon) · gamma + beta`, mean and variance taken along `axis` in every sample by
    itself (Ba, Kiros and Hinton, "Layer normalization", 2016). `(batch, …)` → the same shape.

    Weights: `gamma` and `beta`, one number for each place along `axis`.
    """

    mask_use = "keeps"

    axis: Axes = Field(default=-1, description="axis or axes to normalize along, the batch axis being 0")

    def trace(self, scope: LayerScope, *inputs: Value) -> Value:
        (x,) = inputs
        axes = counted_axes(scope, self.type, self.axis, x)
        return self.scaled(scope, ir.standardize(x, axes, self.epsilon), axes)
