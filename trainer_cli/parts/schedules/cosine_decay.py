"""Cosine decay: the count of updates in, a rate that rises on a line and then falls along half a cosine out."""

from __future__ import annotations

import math

from pydantic import Field, model_validator

from trainer_cli.ir import language as ir
from trainer_cli.ir.graph import Value
from trainer_cli.parts.families import Refusal, refusal
from trainer_cli.parts.schedule import RateScope, Schedule


class CosineDecay(Schedule):
    """Cosine decay (Loshchilov and Hutter, "SGDR: stochastic gradient descent with warm restarts", 2017), as in Keras.

    `α₀·((1 − a)·½(1 + cos(π·t/T)) + a)` after t updates, `α₀·a` from the T-th update on. With a `warmup_target` the
    rate first goes on a line from α₀ to that target, in W updates, and falls from there to a times the target in T
    more.
    """

    initial_learning_rate: float = Field(ge=0, description="rate α₀ of the first update")
    decay_steps: float = Field(gt=0, description="number T of updates in which the rate falls")
    alpha: float = Field(default=0.0, ge=0, le=1, description="share a of the highest rate at which the fall ends")
    warmup_target: float | None = Field(default=None, gt=0, description="rate at the end of the warm-up")
    warmup_steps: float = Field(default=0.0, ge=0, description="number W of updates of the warm-up")

    @model_validator(mode="after")
    def _warms_up_to_something(self) -> CosineDecay:
        if self.warmup_target is None and self.warmup_steps > 0:
            message = "a warm-up needs the rate that it goes to"
            raise refusal([Refusal("warmup_refused", message, "add `warmup_target`", ("warmup_steps",))])
        if self.warmup_target is None and self.initial_learning_rate == 0:
            message = "a rate that falls from 0 trains nothing"
            hint = "add `warmup_target` and `warmup_steps`, or give a number above 0"
            raise refusal([Refusal("warmup_refused", message, hint, ("initial_learning_rate",))])
        return self

    def rate(self, scope: RateScope) -> Value:
        step, begin = scope.step, scope.hyperparameter("initial_learning_rate")
        if self.warmup_target is None:
            return begin * self._decay(scope, step)
        target, warmup = scope.hyperparameter("warmup_target"), scope.hyperparameter("warmup_steps")
        # A warm-up of no updates is never taken; the division has a result all the same.
        rising = begin + (target - begin) * step / ir.maximum(warmup, 1.0)
        falling = target * self._decay(scope, ir.maximum(step - warmup, 0.0))
        return ir.select(ir.less(step, warmup), rising, falling)

    def _decay(self, scope: RateScope, step: Value) -> Value:
        length, alpha = scope.hyperparameter("decay_steps"), scope.hyperparameter("alpha")
        half = 0.5 * (1.0 + ir.cos(ir.minimum(step, length) / length * math.pi))
        return (1.0 - alpha) * half + alpha
