"""Unit norm: a weight in, the weight with its vectors brought to length 1 out."""

from __future__ import annotations

from trainer_cli.ir.graph import Value
from trainer_cli.parts.constraint import EPSILON, NormConstraint


class UnitNorm(NormConstraint):
    """`w / (1e-7 + ‖w‖)`, norms being taken along `axis`."""

    def project(self, weight: Value) -> Value:
        return weight / (self.norms(weight) + EPSILON)
