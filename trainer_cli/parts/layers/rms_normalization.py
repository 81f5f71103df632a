"""RMS normalization: values in, the same values divided by their root mean square within every sample out."""

from __future__ import annotations

from pydantic import Field

from trainer_cli.ir import language as ir
from trainer_cli.ir.graph import Value
from trainer_cli.parts.initializer import InitializerField
from trainer_cli.parts.layer import Layer, LayerScope
from trainer_cli.parts.normalization import Axes, along, counted_axes, extents

ALIASES = ("rms_norm",)


class RmsNormalization(Layer):
    """`x / √(mean(x²) + epsilon) · scale`, the mean taken along `axis` in every sample by itself (Zhang and Sennrich,
    "Root mean square layer normalization", 2019). `(batch, …)` → the same shape.

    Weight: `scale`, one number for each place along `axis`.
    """

    mask_use = "keeps"

    axis: Axes = Field(default=-1, description="axis or axes to normalize along, the batch axis being 0")
    epsilon: float = Field(default=1e-6, gt=0, description="added to the mean square, against divisions by 0")
    scale_initializer: InitializerField = Field(
        default="ones", validate_default=True, description="first values of `scale`"
    )

    def trace(self, scope: LayerScope, *inputs: Value) -> Value:
        (x,) = inputs
        axes = counted_axes(scope, self.type, self.axis, x)
        size = ir.sqrt(ir.reduce_mean(ir.square(x), axes, keepdims=True) + self.epsilon)
        scale = scope.weight("scale", extents(x, axes), self.scale_initializer)
        return x / size * along(scale, x, axes)
