"""The contract of a constraint: a weight after its update in, the nearest allowed weight out."""

from __future__ import annotations

from abc import abstractmethod
from typing import Annotated, TypeAlias

from pydantic import Field

from trainer_cli.ir import language as ir
from trainer_cli.ir.graph import Value
from trainer_cli.parts.families import CONSTRAINTS, PartField
from trainer_cli.parts.part import IntegerList, Part


class Constraint(Part):
    """A projection applied to a weight after every update."""

    def misfit(self, shape: tuple[int, ...]) -> str | None:
        """Why a weight of this shape cannot be projected (an axis that it does not have), or None if it can."""
        return None

    @abstractmethod
    def project(self, weight: Value) -> Value:
        """Write the projection's IR; the result has the weight's shape."""


Axes: TypeAlias = int | IntegerList

EPSILON = 1e-7
"""Added to a norm before dividing by it, as in Keras."""


class NormConstraint(Constraint):
    """What constraints on the Euclidean norms of a weight's vectors share."""

    axis: Axes = Field(default=0, description="axis or axes along which a vector lies")

    @property
    def _axes(self) -> tuple[int, ...]:
        return (self.axis,) if isinstance(self.axis, int) else self.axis

    def misfit(self, shape: tuple[int, ...]) -> str | None:
        missing = [axis for axis in self._axes if not -len(shape) <= axis < len(shape)]
        return f"`{self.type}` takes norms along axis {missing[0]}, which the shape {shape} lacks" if missing else None

    def norms(self, weight: Value) -> Value:
        """The norms along the axes, which stay as axes of extent 1."""
        return ir.sqrt(ir.reduce_sum(ir.square(weight), self._axes, keepdims=True))


ConstraintField: TypeAlias = Annotated[Constraint, PartField(CONSTRAINTS)]
