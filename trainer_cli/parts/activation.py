"""The contract of an activation: a value of any shape in, a value of the same shape out."""

from __future__ import annotations

import math
from abc import abstractmethod
from typing import Annotated, TypeAlias

from trainer_cli.ir.graph import Value
from trainer_cli.ir.primitive import Shape
from trainer_cli.parts.families import ACTIVATIONS, PartField
from trainer_cli.parts.part import Part


class Activation(Part):
    """An element-wise or last-axis function applied to a layer's output."""

    @property
    def interval(self) -> tuple[float, float]:
        """What encloses the function's values; losses judge an output by it."""
        return (-math.inf, math.inf)

    def misfit(self, shape: Shape) -> str | None:
        """Why the function cannot be applied to a value of this shape (an axis that it does not have), or None."""
        return None

    @abstractmethod
    def apply(self, x: Value) -> Value:
        """Write the function's IR. `x`: `(batch, …, features)`; the result has the same shape, `glu` aside."""


ActivationField: TypeAlias = Annotated[Activation, PartField(ACTIVATIONS)]
