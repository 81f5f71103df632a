"""Bidirectional: sequences in, what a recurrent layer and its mirror image make of them, merged, out."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from trainer_cli.ir import language as ir
from trainer_cli.ir.graph import Value
from trainer_cli.parts.layer import Layer, LayerField, LayerScope
from trainer_cli.parts.recurrent import Recurrent
from trainer_cli.parts.wrapper import InnerScope, check_inside


class Bidirectional(Layer):
    """A recurrent layer and one of the same arguments that reads the sequence from its end (Schuster and Paliwal,
    "Bidirectional recurrent neural networks", 1997): `(batch, time, features)` → `(batch, 2 · units)` if concatenated,
    otherwise `(batch, units)`; with `return_sequences` of the inner layer, there is an axis of time before that.

    With `return_sequences` both outputs at a step belong to the same input; without, each is the last of its direction.
    Weights: those of the inner layer twice, as `forward/…` and `backward/…`. `backward_layer` replaces the mirror image
    by a layer of other arguments.
    """

    mask_use = "reads"

    layer: LayerField = Field(description="the recurrent layer")
    backward_layer: LayerField | None = Field(
        default=None, description="the recurrent layer that reads from the end; default: the mirror image of `layer`"
    )
    merge_mode: Literal["concat", "sum", "mul", "ave"] = Field(
        default="concat", description="how the two outputs become one: side by side, or their sum, product or average"
    )

    def trace(self, scope: LayerScope, *inputs: Value) -> Value:
        forward_layer = self._recurrent(scope, "layer", self.layer)
        if forward_layer.go_backwards:
            scope.refuse("the inner layer is the forward one: `go_backwards` cannot be true", field="layer")
        backward_layer = forward_layer
        if self.backward_layer is not None:
            backward_layer = self._recurrent(scope, "backward_layer", self.backward_layer)
            if backward_layer.return_sequences != forward_layer.return_sequences:
                message = "both layers must have the same `return_sequences`"
                scope.refuse(message, field="backward_layer")
        # As in Keras, steps that a mask leaves out give zeros, not what stands before them in either direction.
        first = InnerScope(scope, forward_layer, "forward/")
        forward = forward_layer.model_copy(update={"zero_output_for_mask": True}).apply(first, *inputs)
        mirrored = backward_layer.model_copy(update={"zero_output_for_mask": True, "go_backwards": True})
        backward = mirrored.apply(InnerScope(scope, mirrored, "backward/"), *inputs)
        scope.give_mask(first.given_mask)
        if forward_layer.return_sequences:
            backward = ir.reverse(backward, (1,))
        if self.merge_mode == "concat":
            return ir.concatenate([forward, backward], -1)
        if forward.shape != backward.shape:
            scope.refuse(
                f"`merge_mode: {self.merge_mode}` needs as many units forwards as backwards", field="merge_mode"
            )
        if self.merge_mode == "mul":
            return forward * backward
        return forward + backward if self.merge_mode == "sum" else (forward + backward) * 0.5

    @staticmethod
    def _recurrent(scope: LayerScope, field: str, layer: Layer) -> Recurrent:
        check_inside(scope, layer)
        if not isinstance(layer, Recurrent):
            scope.refuse(f"holds a recurrent layer, not `{layer.type}`", field=field)
        return layer
