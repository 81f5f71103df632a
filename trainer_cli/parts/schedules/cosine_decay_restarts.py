"""Cosine decay with restarts: the count of updates in, a rate that falls along half a cosine again and again out."""

from __future__ import annotations

import math

from pydantic import Field

from trainer_cli.ir import language as ir
from trainer_cli.ir.graph import Value
from trainer_cli.parts.schedule import RateScope, Schedule

_NEARLY = 1e-6


class CosineDecayRestarts(Schedule):
    """Cosine decay with warm restarts (Loshchilov and Hutter, "SGDR: stochastic gradient descent with warm restarts",
    2017), as in Keras.

    The i-th fall, counted from 0, takes `T·qⁱ` updates: `α₀·((1 − a)·mⁱ·½(1 + cos(π·f)) + a)`, f being the part of it
    that is over.
    """

    initial_learning_rate: float = Field(gt=0, description="rate α₀ of the first update")
    first_decay_steps: float = Field(gt=0, description="number T of updates in which the rate falls for the first time")
    t_mul: float = Field(default=2.0, ge=1, description="factor q by which each fall is longer than the one before")
    m_mul: float = Field(default=1.0, gt=0, description="factor m by which each fall begins higher than the one before")
    alpha: float = Field(default=0.0, ge=0, le=1, description="share a of α₀ at which a fall ends")

    def rate(self, scope: RateScope) -> Value:
        passed = scope.step / scope.hyperparameter("first_decay_steps")
        if self.t_mul == 1:
            restarts = ir.floor(passed)
            part = passed - restarts
        else:
            longer = scope.hyperparameter("t_mul")
            # The logarithm of a power can come out below its exponent: without the addend a restart would come an
            # update late, after an update with the lowest rate.
            restarts = ir.floor(ir.log(1.0 + passed * (longer - 1.0)) / ir.log(longer) + _NEARLY)
            length = ir.power(longer, restarts)
            part = (passed - (length - 1.0) / (longer - 1.0)) / length
        height = ir.power(scope.hyperparameter("m_mul"), restarts)
        alpha = scope.hyperparameter("alpha")
        half = 0.5 * height * (1.0 + ir.cos(part * math.pi))
        return scope.hyperparameter("initial_learning_rate") * ((1.0 - alpha) * half + alpha)
