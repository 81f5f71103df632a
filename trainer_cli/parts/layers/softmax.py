"""Softmax: logits in, probabilities that sum to 1 along one axis or several out."""

from __future__ import annotations

from pydantic import Field

from trainer_cli.ir import language as ir
from trainer_cli.ir.graph import Value
from trainer_cli.parts.activations import softmax
from trainer_cli.parts.layer import Layer, LayerScope
from trainer_cli.parts.normalization import Axes, counted_axes


class Softmax(Layer):
    """`exp(x) / Σ exp(x)` along `axis` (Bridle, "Training stochastic model recognition algorithms as networks can lead
    to maximum mutual information estimation of parameters", 1990). `(batch, …)` → the same shape.
    """

    mask_use = "keeps"

    axis: Axes = Field(default=-1, description="axis or axes along which the result sums to 1, the batch axis being 0")

    def trace(self, scope: LayerScope, *inputs: Value) -> Value:
        (x,) = inputs
        axes = counted_axes(scope, self.type, self.axis, x)
        if len(axes) == 1:
            # Told to the scope under the name -1 where it is that axis: so losses find the logits.
            return scope.activate(softmax.Softmax(axis=-1 if axes[0] == x.rank - 1 else axes[0]), x)
        return ir.softmax(x, axes)
