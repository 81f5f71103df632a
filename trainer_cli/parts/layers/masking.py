"""Masking: sequences in, the same with a mask that leaves out the steps that hold nothing but one value out."""

from __future__ import annotations

from pydantic import Field

from trainer_cli.ir import language as ir
from trainer_cli.ir.graph import Value
from trainer_cli.parts.layer import Layer, LayerScope


class Masking(Layer):
    """Steps whose elements all equal `mask_value` are padding: `(batch, time, features)` → the same, with zeros at
    these steps. Recurrent, attention and pooling layers behind it pass over them, and so do loss and metrics.
    """

    mask_use = "reads"

    mask_value: float = Field(default=0.0, description="the value that all elements of a padded step have")

    def trace(self, scope: LayerScope, *inputs: Value) -> Value:
        (x,) = inputs
        if x.rank < 3:
            scope.refuse(f"needs sequences of shape (time, …), its input has rows of shape {tuple(x.shape[1:])}")
        differs = ir.cast(ir.not_equal(ir.cast(x, "float"), self.mask_value), "float")
        kept = ir.greater(ir.reduce_max(differs, range(2, x.rank)), 0.0)
        scope.give_mask(kept)
        shape = (*kept.shape, *(1,) * (x.rank - 2))
        return x * ir.broadcast_to(ir.reshape(ir.cast(kept, "float"), shape), x.shape)
