"""Unit norm: a weight in, the weight with its vectors brought to length 1 out."""

from __future__ import annotations

from pydantic import Field

from trainer_cli.ir.graph import Value
from trainer_cli.parts.constraint import EPSILON, Axes, Constraint, norms


class UnitNorm(Constraint):
    """`w / (1e-7 + ‖w‖)`, norms being taken along `axis`."""

    axis: Axes = Field(default=0, description="axis or axes along which a vector lies")

    def project(self, weight: Value) -> Value:
        return weight / (norms(self, weight, self.axis) + EPSILON)
