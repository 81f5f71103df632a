"""The contract of a regularizer: a weight in, a scalar penalty that is added to the loss out."""

from __future__ import annotations

from abc import abstractmethod
from typing import Annotated, TypeAlias

from trainer_cli.ir.graph import Value
from trainer_cli.ir.primitive import Shape
from trainer_cli.parts.families import REGULARIZERS, PartField
from trainer_cli.parts.part import Part


class Regularizer(Part):
    """A penalty on the size of a weight."""

    def misfit(self, shape: Shape) -> str | None:
        """Why the penalty cannot be computed of a layer's output of this shape, the batch first, or None."""
        return None

    @abstractmethod
    def penalty(self, weight: Value) -> Value:
        """Write the penalty's IR; the result is a scalar, shape `()`."""


RegularizerField: TypeAlias = Annotated[Regularizer, PartField(REGULARIZERS)]
