"""Schedule-free AdamW: a weight and its gradient in, a point between an average of steps and the last of them out."""

from __future__ import annotations

from pydantic import Field

from trainer_cli.ir import language as ir
from trainer_cli.ir.graph import Value
from trainer_cli.parts.optimizer import Optimizer, UpdateScope
from trainer_cli.parts.schedule import LearningRate

ALIASES = ("schedule_free_adam_w",)


class ScheduleFreeAdamw(Optimizer):
    """Schedule-free AdamW (Defazio et al., "The road less scheduled", 2024), as in Keras.

    The weight y lies between the average x and the point z that gradients move; z begins at the weight.
    `v ← v + (1 − β₂)(∇² − v)`, `z ← z − α·min(1, t/W)·∇/(√(v/(1 − β₂ᵗ)) + ε)`, `x ← (1 − 1/t)·x + z/t`,
    `y ← (1 − β₁)·z + β₁·x`. The weight decay acts on y before the step. In the paper it acts on z, and steps of the
    warm-up weigh less in the average. Evaluated is y, as in Keras.
    """

    learning_rate: LearningRate = Field(default=0.0025, description="step size α")
    beta_1: float = Field(default=0.9, gt=0, le=1, description="place β₁ of the weight between z (0) and x (1)")
    beta_2: float = Field(default=0.999, ge=0, lt=1, description="decay β₂ of the second moment")
    epsilon: float = Field(default=1e-8, gt=0, description="small number ε that keeps the denominator from 0")
    warmup_steps: float = Field(default=0.0, ge=0, description="number W of updates in which the rate rises")

    def update(self, scope: UpdateScope, weight: Value, gradient: Value) -> Value:
        beta_1, beta_2 = scope.hyperparameter("beta_1"), scope.hyperparameter("beta_2")
        step = ir.cast(scope.step, "float")
        warm = ir.minimum(step / ir.maximum(scope.hyperparameter("warmup_steps"), 1.0), 1.0)
        rate = scope.hyperparameter("learning_rate") * warm
        second_slot, point_slot = scope.slot("second_moment"), scope.slot("point")
        second = second_slot + (ir.square(gradient) - second_slot) * (1.0 - beta_2)
        spread = ir.sqrt(second / (1.0 - ir.power(beta_2, step))) + scope.hyperparameter("epsilon")
        # The slot begins at 0, whatever the weight begins at.
        before = ir.select(ir.equal(scope.step, 1), scope.weight, point_slot)
        point = before - gradient * rate / spread
        scope.assign(second_slot, second)
        scope.assign(point_slot, point)
        average = (weight - before * (1.0 - beta_1)) / beta_1
        average = average + (point - average) / step
        return point * (1.0 - beta_1) + average * beta_1
