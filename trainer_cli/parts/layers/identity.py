"""Identity: a value in, the same value out."""

from __future__ import annotations

from trainer_cli.ir.graph import Value
from trainer_cli.parts.layer import Layer, LayerScope


class Identity(Layer):
    """Passes its input on: a place with a name, for the `inputs` of other layers. `(batch, …)` → the same shape."""

    mask_use = "keeps"

    def trace(self, scope: LayerScope, *inputs: Value) -> Value:
        (x,) = inputs
        return x
