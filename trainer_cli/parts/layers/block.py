"""Block: layers defined once in, as many copies of them one behind the other as `repeat` says out."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field, field_validator

from trainer_cli.ir.graph import Value
from trainer_cli.parts.layer import Layer, LayerField, LayerScope
from trainer_cli.parts.regularizer import Regularizer


class Block(Layer):
    """Stands for its layers, each with weights of its own in every repetition. It takes what its first layer takes and
    gives what its last one gives; a repetition takes the result of the one before.

    Inside, `input` is what the block or repetition takes; with several `inputs` these are `input_1`, `input_2`, …, of
    which the result of a repetition replaces the first. Names of layers above the block are known as well. From
    outside, the layers are called `<block>.<layer>`, or with repetitions `<block>.<n>.<layer>`.
    """

    input_count: ClassVar[tuple[int, int | None]] = (1, None)

    layers: list[LayerField] = Field(min_length=1, description="the layers of the block, in order")
    repeat: int = Field(default=1, gt=0, le=1000, description="how often the block stands, one behind the other")

    @field_validator("activity_regularizer")
    @classmethod
    def _of_others(cls, value: Regularizer | None) -> None:
        if value is not None:
            raise ValueError("a block has no output of its own: give it to the layers inside")

    def trace(self, scope: LayerScope, *inputs: Value) -> Value:
        scope.refuse("a block stands in the list of an architecture's or a block's layers, not inside another layer")
