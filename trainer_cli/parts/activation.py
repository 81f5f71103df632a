"""The contract of an activation: a value of any shape in, a value of the same shape out."""

from __future__ import annotations

from abc import abstractmethod
from typing import Annotated, TypeAlias

from trainer_cli.ir.graph import Value
from trainer_cli.parts.families import ACTIVATIONS, PartField
from trainer_cli.parts.part import Part


class Activation(Part):
    """An element-wise or last-axis function applied to a layer's output."""

    @abstractmethod
    def apply(self, x: Value) -> Value:
        """Write the function's IR. `x`: `(batch, …, features)`; the result has the same shape."""


ActivationField: TypeAlias = Annotated[Activation, PartField(ACTIVATIONS)]
