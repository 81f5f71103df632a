"""The contract of a constraint: a weight after its update in, the nearest allowed weight out."""

from __future__ import annotations

from abc import abstractmethod
from typing import Annotated, TypeAlias

from trainer_cli.ir.graph import Value
from trainer_cli.parts.families import CONSTRAINTS, PartField
from trainer_cli.parts.part import Part


class Constraint(Part):
    """A projection applied to a weight after every update."""

    @abstractmethod
    def project(self, weight: Value) -> Value:
        """Write the projection's IR; the result has the weight's shape."""


ConstraintField: TypeAlias = Annotated[Constraint, PartField(CONSTRAINTS)]
