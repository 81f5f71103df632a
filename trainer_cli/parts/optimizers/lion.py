"""Lion: a weight and its gradient in, a step of one size along the sign of a running mean out."""

from __future__ import annotations

from pydantic import Field

from trainer_cli.ir import language as ir
from trainer_cli.ir.graph import Value
from trainer_cli.parts.optimizer import Optimizer, UpdateScope


class Lion(Optimizer):
    """Lion (Chen et al., "Symbolic discovery of optimization algorithms", 2023).

    `w ← w − α·sign(β₁·m + (1 − β₁)·∇)`, `m ← β₂·m + (1 − β₂)·∇`. The learning rate is usually 3 to 10 times smaller
    than Adam's, the weight decay larger by the same factor.
    """

    beta_1: float = Field(default=0.9, gt=0, le=1, description="share β₁ of the mean in the step's direction")
    beta_2: float = Field(default=0.99, ge=0, le=1, description="decay β₂ of the mean")

    def update(self, scope: UpdateScope, weight: Value, gradient: Value) -> Value:
        beta_1, beta_2 = scope.hyperparameter("beta_1"), scope.hyperparameter("beta_2")
        slot = scope.slot("first_moment")
        scope.assign(slot, slot * beta_2 + gradient * (1.0 - beta_2))
        return weight - ir.sign(slot * beta_1 + gradient * (1.0 - beta_1)) * scope.hyperparameter("learning_rate")
