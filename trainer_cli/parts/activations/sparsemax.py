"""Sparsemax: logits along one axis in, probabilities, many of them exactly 0, that sum to 1 along it out."""

from __future__ import annotations

from pydantic import Field

from trainer_cli.ir import language as ir
from trainer_cli.ir.graph import Value
from trainer_cli.ir.primitive import Shape
from trainer_cli.parts import formulas
from trainer_cli.parts.activation import Activation


class Sparsemax(Activation):
    """The point of the simplex nearest to x along an axis, `max(x − τ, 0)` with τ such that the sum is 1 (Martins and
    Astudillo, "From softmax to sparsemax", 2016). It compares all pairs along the axis.
    (Keras 3.15 gives numbers that do not sum to 1 where more than one stays; this does not.)"""

    axis: int = Field(default=-1, description="axis along which the result sums to 1, the batch axis being 0")

    @property
    def interval(self) -> tuple[float, float]:
        return (0.0, 1.0)

    def misfit(self, shape: Shape) -> str | None:
        return formulas.misfit_axis(self.type, self.axis, shape)

    def apply(self, x: Value) -> Value:
        axis = self.axis % x.rank
        order = [other for other in range(x.rank) if other != axis] + [axis]
        less = formulas.shifted(ir.transpose(x, order))
        first, second = ir.reshape(less, (*less.shape, 1)), ir.reshape(less, (*less.shape[:-1], 1, less.shape[-1]))
        # Behind each number: how many are not less than it, and their sum. The numbers that stay are those for which
        # 1 + count · number exceeds it.
        larger = ir.cast(ir.greater_equal(second, first), "float")
        count, total = ir.reduce_sum(larger, -1), ir.reduce_sum(larger * second, -1)
        stays = ir.cast(ir.greater(count * less + 1.0, total), "float")
        tau = (ir.reduce_sum(less * stays, -1, keepdims=True) - 1.0) / ir.reduce_sum(stays, -1, keepdims=True)
        result = ir.maximum(less - tau, 0.0)
        return ir.transpose(result, [order.index(place) for place in range(x.rank)])
