"""The contract of a constraint: a weight after its update in, the nearest allowed weight out."""

from __future__ import annotations

from abc import abstractmethod
from typing import Annotated, TypeAlias

from trainer_cli.errors import ConfigError, Problem
from trainer_cli.ir import language as ir
from trainer_cli.ir.graph import Value
from trainer_cli.parts.families import CONSTRAINTS, PartField
from trainer_cli.parts.part import IntegerList, Part


class Constraint(Part):
    """A projection applied to a weight after every update."""

    @abstractmethod
    def project(self, weight: Value) -> Value:
        """Write the projection's IR; the result has the weight's shape.

        Raises ConfigError when the arguments do not fit the weight (an axis that it does not have).
        """


Axes: TypeAlias = int | IntegerList

EPSILON = 1e-7
"""Added to a norm before dividing by it, as in Keras."""


def norms(constraint: Constraint, weight: Value, axis: int | tuple[int, ...]) -> Value:
    """Euclidean norms along axes, which stay as axes of extent 1."""
    axes = (axis,) if isinstance(axis, int) else axis
    if any(not -weight.rank <= each < weight.rank for each in axes):
        message = f"{constraint.type}: axis {axis} does not exist in a weight of shape {weight.shape}"
        raise ConfigError([Problem(message, path=("axis",))])
    return ir.sqrt(ir.reduce_sum(ir.square(weight), axes, keepdims=True))


ConstraintField: TypeAlias = Annotated[Constraint, PartField(CONSTRAINTS)]
