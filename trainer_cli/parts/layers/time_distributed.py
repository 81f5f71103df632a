"""Time distributed: sequences in, the sequence of what one layer makes of every step out."""

from __future__ import annotations

from pydantic import Field

from trainer_cli.ir import language as ir
from trainer_cli.ir.graph import BATCH, Value
from trainer_cli.parts.layer import Layer, LayerField, LayerScope
from trainer_cli.parts.recurrent import part
from trainer_cli.parts.wrapper import InnerScope, check_inside


class TimeDistributed(Layer):
    """A layer applied to every step of a sequence, with the same weights: `(batch, time, …)` → `(batch, time, …)`.

    Weights: those of the inner layer. A layer that treats all places alike anyway, like `dense`, is applied once to the
    whole sequence; any other is written once per step, so that long sequences take long to compile.
    """

    mask_use = "keeps"

    layer: LayerField = Field(description="the layer that is applied to every step")

    def trace(self, scope: LayerScope, *inputs: Value) -> Value:
        (x,) = inputs
        check_inside(scope, self.layer)
        if x.rank < 3:
            scope.refuse(f"needs sequences of shape (time, …), its input has rows of shape {tuple(x.shape[1:])}")
        inner = _StepScope(scope, self.layer)
        if self.layer.type in ("dense", "activation"):
            return self.layer.apply(inner, x)
        steps = []
        for time in range(int(x.shape[1])):
            step = ir.reshape(part(x, time, time + 1, 1), (BATCH, *x.shape[2:]))
            result = self.layer.apply(inner, step)
            steps.append(ir.reshape(result, (BATCH, 1, *result.shape[1:])))
        return ir.concatenate(steps, 1) if len(steps) > 1 else steps[0]


class _StepScope(InnerScope):
    """The scope of a layer that is applied several times in one step of training."""

    def carried(self, name: str, shape: tuple[int, ...]) -> Value:
        self.refuse("carries its state from batch to batch, but sees every step of a batch")

    def assign(self, weight: Value, value: Value) -> None:
        self.refuse("keeps statistics of its batches, which it would see several times per step of training")
