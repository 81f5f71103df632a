"""Adagrad: a weight and its gradient in, a step divided by the root of all squared gradients so far out."""

from __future__ import annotations

from pydantic import Field

from trainer_cli.ir import language as ir
from trainer_cli.ir.graph import Value
from trainer_cli.parts.optimizer import Optimizer, UpdateScope


class Adagrad(Optimizer):
    """Adagrad (Duchi, Hazan and Singer, "Adaptive subgradient methods for online learning and stochastic optimization",
    2011): `A ← A + ∇²`, `w ← w − α·∇/√(A + ε)`."""

    initial_accumulator_value: float = Field(default=0.1, ge=0, description="first value of A")
    epsilon: float = Field(default=1e-7, gt=0, description="small number ε that keeps the denominator from 0")

    def update(self, scope: UpdateScope, weight: Value, gradient: Value) -> Value:
        slot = scope.slot("accumulator", initial=self.initial_accumulator_value)
        accumulator = slot + ir.square(gradient)
        scope.assign(slot, accumulator)
        denominator = ir.sqrt(accumulator + scope.hyperparameter("epsilon"))
        return weight - gradient * scope.hyperparameter("learning_rate") / denominator
