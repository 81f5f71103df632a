"""Norm between bounds: a weight in, the weight with its vectors brought to a length between two bounds out."""

from __future__ import annotations

from typing import Self

from pydantic import Field, model_validator

from trainer_cli.ir import language as ir
from trainer_cli.ir.graph import Value
from trainer_cli.parts.constraint import EPSILON, NormConstraint


class MinMaxNorm(NormConstraint):
    """`w · d / (1e-7 + ‖w‖)` with `d = rate · clip(‖w‖, min_value, max_value) + (1 − rate) · ‖w‖`, norms being taken
    along `axis`: a rate below 1 goes only part of the way at each update."""

    min_value: float = Field(default=0.0, ge=0, description="smallest norm of a vector")
    max_value: float = Field(default=1.0, ge=0, description="largest norm of a vector")
    rate: float = Field(default=1.0, ge=0, le=1, description="fraction of the way that an update goes")

    @model_validator(mode="after")
    def _bounds_in_order(self) -> Self:
        if self.min_value > self.max_value:
            raise ValueError(f"min_value ({self.min_value:g}) must not exceed max_value ({self.max_value:g})")
        return self

    def project(self, weight: Value) -> Value:
        norm = self.norms(weight)
        desired = ir.clip(norm, self.min_value, self.max_value) * self.rate + norm * (1.0 - self.rate)
        return weight * (desired / (norm + EPSILON))
