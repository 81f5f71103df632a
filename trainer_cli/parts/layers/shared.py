"""Shared: the name of a layer above in, that layer applied once more with the same weights out."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field, field_validator

from trainer_cli.ir.graph import Value
from trainer_cli.parts.layer import Layer, LayerScope
from trainer_cli.parts.regularizer import Regularizer


class Shared(Layer):
    """A layer, or a block, used a second time: what training changes in one place changes in the other.

    Its own `inputs` say what it is applied to. Gradients of all uses add up. Statistics that a layer keeps of its
    batches (`batch_normalization`) are updated by every use, in order.
    """

    input_count: ClassVar[tuple[int, int | None]] = (1, None)

    of: str = Field(min_length=1, description="name of the layer or block above whose weights are used")

    @field_validator("activity_regularizer")
    @classmethod
    def _of_others(cls, value: Regularizer | None) -> None:
        if value is not None:
            raise ValueError("a shared layer has the one of the layer that it names")

    def trace(self, scope: LayerScope, *inputs: Value) -> Value:
        scope.refuse("a shared layer stands in the list of an architecture's or a block's layers")
