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
    Weights: those of the inner layer twice, as `forward/…` and `backward/…`.
    """

    mask_use = "reads"

    layer: LayerField = Field(description="the recurrent layer")
    merge_mode: Literal["concat", "sum", "mul", "ave"] = Field(
        default="concat", description="how the two outputs become one: side by side, or their sum, product or average"
    )

    def trace(self, scope: LayerScope, *inputs: Value) -> Value:
        check_inside(scope, self.layer)
        if not isinstance(self.layer, Recurrent):
            scope.refuse(f"holds a recurrent layer, not `{self.layer.type}`", field="layer")
        if self.layer.go_backwards:
            scope.refuse("the inner layer is the forward one: `go_backwards` cannot be true", field="layer")
        # As in Keras, steps that a mask leaves out give zeros, not what stands before them in either direction.
        inner = self.layer.model_copy(update={"zero_output_for_mask": True})
        mirrored = inner.model_copy(update={"go_backwards": True})
        first = InnerScope(scope, inner, "forward/")
        forward = inner.trace(first, *inputs)
        backward = mirrored.trace(InnerScope(scope, mirrored, "backward/"), *inputs)
        scope.give_mask(first.given_mask)
        if self.layer.return_sequences:
            backward = ir.reverse(backward, (1,))
        if self.merge_mode == "concat":
            return ir.concatenate([forward, backward], -1)
        if self.merge_mode == "mul":
            return forward * backward
        return forward + backward if self.merge_mode == "sum" else (forward + backward) * 0.5
