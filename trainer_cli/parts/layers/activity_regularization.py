"""Activity regularization: a value in, the same value out, its size being added to the loss."""

from __future__ import annotations

from pydantic import Field

from trainer_cli.ir.graph import Value
from trainer_cli.parts.layer import Layer, LayerScope
from trainer_cli.parts.regularizers.l1_l2 import L1L2


class ActivityRegularization(Layer):
    """Passes its input on and adds `(l1 · Σ|x| + l2 · Σx²) / rows` to the loss of a batch, in training and evaluation,
    whatever a mask leaves out included, as Keras does. `(batch, …)` → the same shape.

    `activity_regularizer` does the same with the output of any other layer.
    """

    mask_use = "keeps"

    l1: float = Field(default=0.0, ge=0, description="factor on the sum of absolute values")
    l2: float = Field(default=0.0, ge=0, description="factor on the sum of squares")

    def trace(self, scope: LayerScope, *inputs: Value) -> Value:
        (x,) = inputs
        if x.dtype != "float":
            scope.refuse("penalizes floats, its input is whole numbers")
        scope.add_loss(L1L2(l1=self.l1, l2=self.l2).penalty(x) / x.graph.batch_size())
        return x
