"""Largest norm: a weight in, the weight with its vectors shortened to a largest length out."""

from __future__ import annotations

from pydantic import Field

from trainer_cli.ir import language as ir
from trainer_cli.ir.graph import Value
from trainer_cli.parts.constraint import EPSILON, NormConstraint


class MaxNorm(NormConstraint):
    """`w · min(‖w‖, max_value) / (1e-7 + ‖w‖)`, norms being taken along `axis` (Srebro and Shraibman, "Rank, trace-norm
    and max-norm", 2005)."""

    max_value: float = Field(default=2.0, ge=0, description="largest norm of a vector")

    def project(self, weight: Value) -> Value:
        norm = self.norms(weight)
        return weight * (ir.minimum(norm, self.max_value) / (norm + EPSILON))
