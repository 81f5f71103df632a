"""Adamax: a weight and its gradient in, a step divided by the largest recent gradient out."""

from __future__ import annotations

from pydantic import Field

from trainer_cli.ir import language as ir
from trainer_cli.ir.graph import Value
from trainer_cli.parts.optimizer import Optimizer, UpdateScope

ALIASES = ("ada_max",)


class Adamax(Optimizer):
    """Adamax (Kingma and Ba, "Adam: a method for stochastic optimization", 2015, section 7.1).

    `m ← m + (1 − β₁)(∇ − m)`, `u ← max(β₂·u, |∇|)`, `w ← w − α/(1 − β₁ᵗ)·m/(u + ε)`.
    """

    beta_1: float = Field(default=0.9, ge=0, lt=1, description="decay β₁ of the first moment")
    beta_2: float = Field(default=0.999, ge=0, lt=1, description="decay β₂ of the largest gradient")
    epsilon: float = Field(default=1e-7, gt=0, description="small number ε that keeps the denominator from 0")

    def update(self, scope: UpdateScope, weight: Value, gradient: Value) -> Value:
        beta_1 = scope.hyperparameter("beta_1")
        rate = scope.hyperparameter("learning_rate") / (1.0 - ir.power(beta_1, ir.cast(scope.step, "float")))
        first_slot, largest_slot = scope.slot("first_moment"), scope.slot("infinity_norm")
        first = first_slot + (gradient - first_slot) * (1.0 - beta_1)
        largest = ir.maximum(largest_slot * scope.hyperparameter("beta_2"), ir.absolute(gradient))
        scope.assign(first_slot, first)
        scope.assign(largest_slot, largest)
        return weight - first * rate / (largest + scope.hyperparameter("epsilon"))
