"""Inverse time decay: the count of updates in, a rate that shrinks as one over time out."""

from __future__ import annotations

from pydantic import Field

from trainer_cli.ir import language as ir
from trainer_cli.ir.graph import Value
from trainer_cli.parts.schedule import RateScope, Schedule


class InverseTimeDecay(Schedule):
    """Keras's InverseTimeDecay: `α₀/(1 + r·t/T)` after t updates; with `staircase` `α₀/(1 + r·⌊t/T⌋)`."""

    initial_learning_rate: float = Field(gt=0, description="rate α₀ of the first update")
    decay_steps: float = Field(gt=0, description="number T of updates after which the denominator has grown by r")
    decay_rate: float = Field(ge=0, description="growth r of the denominator")
    staircase: bool = Field(default=False, description="change the rate only after every T updates")

    def rate(self, scope: RateScope) -> Value:
        passed = scope.step / scope.hyperparameter("decay_steps")
        grown = scope.hyperparameter("decay_rate") * (ir.floor(passed) if self.staircase else passed)
        return scope.hyperparameter("initial_learning_rate") / (grown + 1.0)
