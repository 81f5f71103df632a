"""Gated linear unit: a value in, its first half times the sigmoid of its second half out."""

from __future__ import annotations

import math

from pydantic import Field

from trainer_cli.ir import language as ir
from trainer_cli.ir.graph import Value
from trainer_cli.ir.primitive import Shape
from trainer_cli.parts import formulas
from trainer_cli.parts.activation import Activation


class Glu(Activation):
    """`a · sigmoid(b)`, a and b being the halves of x along an axis: alone among activations, the result is half as
    long (Dauphin, Fan, Auli and Grangier, "Language modeling with gated convolutional networks", 2017)."""

    axis: int = Field(default=-1, description="axis along which x is cut into halves, the batch axis being 0")

    @property
    def interval(self) -> tuple[float, float]:
        return (-math.inf, math.inf)

    def misfit(self, shape: Shape) -> str | None:
        misfit = formulas.misfit_axis(self.type, self.axis, shape)
        if misfit is None and int(shape[self.axis]) % 2:
            return f"`glu` cuts an axis into halves, and axis {self.axis} has {shape[self.axis]} places"
        return misfit

    def apply(self, x: Value) -> Value:
        axis, shape = self.axis % x.rank, x.shape
        half = int(shape[axis]) // 2
        starts, middle, stops = [0] * x.rank, list(shape), list(shape)
        middle[axis] = half
        first = ir.slice_(x, starts, middle)
        starts[axis] = half
        return first * ir.logistic(ir.slice_(x, starts, stops))
