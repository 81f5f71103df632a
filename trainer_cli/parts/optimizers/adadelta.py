"""Adadelta: a weight and its gradient in, a step scaled by the running size of steps over that of gradients out."""

from __future__ import annotations

from pydantic import Field

from trainer_cli.ir import language as ir
from trainer_cli.ir.graph import Value
from trainer_cli.parts.optimizer import Optimizer, UpdateScope

ALIASES = ("ada_delta",)


class Adadelta(Optimizer):
    """Adadelta (Zeiler, "ADADELTA: an adaptive learning rate method", 2012).

    `G ← ρ·G + (1 − ρ)·∇²`, `δ = √(D + ε)/√(G + ε)·∇`, `D ← ρ·D + (1 − ρ)·δ²`, `w ← w − α·δ`. The paper's form has the
    learning rate 1; the default is Keras's.
    """

    rho: float = Field(default=0.95, ge=0, lt=1, description="decay ρ of both running means")
    epsilon: float = Field(default=1e-7, gt=0, description="small number ε that lets the first steps begin")

    def update(self, scope: UpdateScope, weight: Value, gradient: Value) -> Value:
        rho, epsilon = scope.hyperparameter("rho"), scope.hyperparameter("epsilon")
        gradient_slot, step_slot = scope.slot("accumulated_square"), scope.slot("accumulated_step")
        square = gradient_slot * rho + ir.square(gradient) * (1.0 - rho)
        step = gradient * ir.sqrt(step_slot + epsilon) / ir.sqrt(square + epsilon)
        scope.assign(gradient_slot, square)
        scope.assign(step_slot, step_slot * rho + ir.square(step) * (1.0 - rho))
        return weight - step * scope.hyperparameter("learning_rate")
