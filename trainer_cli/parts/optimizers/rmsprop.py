"""RMSprop: a weight and its gradient in, a step divided by the gradient's running root mean square out."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from trainer_cli.ir import language as ir
from trainer_cli.ir.graph import Value
from trainer_cli.parts.optimizer import Optimizer, UpdateScope

ALIASES = ("RMSprop", "rm_sprop", "rms_prop")


class Rmsprop(Optimizer):
    """RMSprop (Tieleman and Hinton, "Lecture 6.5", 2012).

    `s ← ρ·s + (1 − ρ)·∇²`, `w ← w − α·∇/√(s + ε)`. With momentum μ: `b ← μ·b + α·∇/√(s + ε)`, `w ← w − b`. With
    `centered` (Graves, "Generating sequences with recurrent neural networks", 2013) s is replaced by the variance
    `s − m²`, `m ← ρ·m + (1 − ρ)·∇`; rounding can make it negative, which counts as 0.
    """

    rho: float = Field(default=0.9, ge=0, lt=1, description="decay ρ of the running averages")
    momentum: float = Field(default=0.0, ge=0, le=1, description="fraction μ of the last step that is added")
    epsilon: float = Field(default=1e-7, gt=0, description="small number ε that keeps the denominator from 0")
    centered: bool = Field(default=False, description="divide by the standard deviation instead")

    def structure(self) -> dict[str, Any]:
        return {**super().structure(), "momentum": self.momentum > 0, "centered": self.centered}

    def update(self, scope: UpdateScope, weight: Value, gradient: Value) -> Value:
        rho = scope.hyperparameter("rho")
        square_slot = scope.slot("second_moment")
        mean_square = square_slot * rho + ir.square(gradient) * (1.0 - rho)
        scope.assign(square_slot, mean_square)
        if self.centered:
            mean_slot = scope.slot("first_moment")
            mean = mean_slot * rho + gradient * (1.0 - rho)
            scope.assign(mean_slot, mean)
            mean_square = ir.maximum(mean_square - ir.square(mean), 0.0)
        denominator = ir.sqrt(mean_square + scope.hyperparameter("epsilon"))
        step = gradient * scope.hyperparameter("learning_rate") / denominator
        if self.momentum == 0:
            return weight - step
        velocity_slot = scope.slot("velocity")
        velocity = velocity_slot * scope.hyperparameter("momentum") + step
        scope.assign(velocity_slot, velocity)
        return weight - velocity
