"""Softmax: logits along one axis in, probabilities that sum to 1 along it out."""

from __future__ import annotations

from pydantic import Field

from trainer_cli.ir import language as ir
from trainer_cli.ir.graph import Value
from trainer_cli.ir.primitive import Shape
from trainer_cli.parts import formulas
from trainer_cli.parts.activation import Activation


class Softmax(Activation):
    """`exp(x) / Σ exp(x)` along an axis (Bridle, "Training stochastic model recognition algorithms as networks can
    lead to maximum mutual information estimation of parameters", 1990)."""

    axis: int = Field(default=-1, description="axis along which the result sums to 1, the batch axis being 0")

    @property
    def interval(self) -> tuple[float, float]:
        return (0.0, 1.0)

    def misfit(self, shape: Shape) -> str | None:
        return formulas.misfit_axis(self.type, self.axis, shape)

    def apply(self, x: Value) -> Value:
        return ir.softmax(x, self.axis)
