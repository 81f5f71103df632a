"""Polynomial decay: the count of updates in, a rate that falls to its end along a power of the time left out."""

from __future__ import annotations

from pydantic import Field

from trainer_cli.ir import language as ir
from trainer_cli.ir.graph import Value
from trainer_cli.parts.schedule import RateScope, Schedule


class PolynomialDecay(Schedule):
    """Keras's PolynomialDecay: `(α₀ − α₁)·(1 − t/T)ᵖ + α₁` after t updates, α₁ from the T-th update on.

    With `cycle` T is replaced by its first multiple that is not below t, so that the rate jumps up after every T
    updates, each time less.
    """

    initial_learning_rate: float = Field(gt=0, description="rate α₀ of the first update")
    decay_steps: float = Field(gt=0, description="number T of updates after which the rate is α₁")
    end_learning_rate: float = Field(default=0.0001, ge=0, description="last rate α₁")
    power: float = Field(default=1.0, gt=0, description="exponent p; 1 is a straight line")
    cycle: bool = Field(default=False, description="start anew after every T updates")

    def rate(self, scope: RateScope) -> Value:
        step, length = scope.step, scope.hyperparameter("decay_steps")
        if self.cycle:
            cycles = -ir.floor(-(step / length))
            length = length * ir.maximum(cycles, 1.0)
        # Where t/T is rounded up to more than 1, a power of what is left would be no number.
        left = ir.maximum(1.0 - ir.minimum(step, length) / length, 0.0)
        end = scope.hyperparameter("end_learning_rate")
        begin = scope.hyperparameter("initial_learning_rate")
        return (begin - end) * ir.power(left, scope.hyperparameter("power")) + end
