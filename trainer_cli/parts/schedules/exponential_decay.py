"""Exponential decay: the count of updates in, a rate that shrinks by the same factor in equal stretches out."""

from __future__ import annotations

from pydantic import Field

from trainer_cli.ir import language as ir
from trainer_cli.ir.graph import Value
from trainer_cli.parts.schedule import RateScope, Schedule


class ExponentialDecay(Schedule):
    """Keras's ExponentialDecay: `α₀·r^(t/T)` after t updates; with `staircase` `α₀·r^⌊t/T⌋`."""

    initial_learning_rate: float = Field(gt=0, description="rate α₀ of the first update")
    decay_steps: float = Field(gt=0, description="number T of updates in which the rate shrinks by the factor r")
    decay_rate: float = Field(gt=0, description="factor r")
    staircase: bool = Field(default=False, description="change the rate only after every T updates")

    def rate(self, scope: RateScope) -> Value:
        passed = scope.step / scope.hyperparameter("decay_steps")
        exponent = ir.floor(passed) if self.staircase else passed
        factor = ir.power(scope.hyperparameter("decay_rate"), exponent)
        return scope.hyperparameter("initial_learning_rate") * factor
