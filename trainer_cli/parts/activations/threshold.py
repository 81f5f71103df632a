"""Threshold: a value in, itself above a threshold and another number elsewhere out."""

from __future__ import annotations

import math

from pydantic import Field

from trainer_cli.ir import language as ir
from trainer_cli.ir.graph import Value
from trainer_cli.parts.activation import Activation


class Threshold(Activation):
    """`x` where x > threshold, `default_value` elsewhere, element by element."""

    threshold: float = Field(default=0.0, description="values up to here are replaced")
    default_value: float = Field(default=0.0, description="what replaces them")

    @property
    def interval(self) -> tuple[float, float]:
        return (min(self.threshold, self.default_value), math.inf)

    def apply(self, x: Value) -> Value:
        return ir.select(ir.greater(x, self.threshold), x, self.default_value)
