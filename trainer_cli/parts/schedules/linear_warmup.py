"""Linear warm-up: the count of updates in, a rate that rises on a line to another and then follows that one out."""

from __future__ import annotations

from pydantic import Field

from trainer_cli.ir import language as ir
from trainer_cli.ir.graph import Value
from trainer_cli.parts.schedule import LearningRate, RateScope, Schedule

ALIASES = ("warmup", "warm_up")


class LinearWarmup(Schedule):
    """A warm-up (Goyal et al., "Accurate, large minibatch SGD: training ImageNet in 1 hour", 2017) in front of any
    rate.

    `α₀ + (β(0) − α₀)·t/W` after t of the first W updates, `β(t − W)` behind them, β being a number or a schedule.
    """

    learning_rate: LearningRate = Field(description="rate β behind the warm-up, a number or a schedule")
    warmup_steps: float = Field(gt=0, description="number W of updates of the warm-up")
    initial_learning_rate: float = Field(default=0.0, ge=0, description="rate α₀ of the first update")

    def rate(self, scope: RateScope) -> Value:
        step, warmup = scope.step, scope.hyperparameter("warmup_steps")
        begin = scope.hyperparameter("initial_learning_rate")
        # During the warm-up this is the rate at its end.
        after = scope.rate("learning_rate", ir.maximum(step - warmup, 0.0))
        return ir.select(ir.less(step, warmup), begin + (after - begin) * step / warmup, after)
