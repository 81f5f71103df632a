"""The contract of a regularizer: a weight in, a scalar penalty that is added to the loss out."""

from __future__ import annotations

from abc import abstractmethod
from typing import Annotated, TypeAlias

from trainer_cli.ir.graph import Value
from trainer_cli.parts.families import REGULARIZERS, PartField
from trainer_cli.parts.part import Part


class Regularizer(Part):
    """A penalty on the size of a weight."""

    @abstractmethod
    def penalty(self, weight: Value) -> Value:
        """Write the penalty's IR; the result is a scalar, shape `()`."""


RegularizerField: TypeAlias = Annotated[Regularizer, PartField(REGULARIZERS)]
