"""Nadam: a weight and its gradient in, a step as Adam's that looks ahead along the first moment out."""

from __future__ import annotations

from pydantic import Field

from trainer_cli.ir import language as ir
from trainer_cli.ir.graph import Value
from trainer_cli.parts.optimizer import Optimizer, UpdateScope
from trainer_cli.parts.optimizers.adam import moments

_SCHEDULE = 0.96


class Nadam(Optimizer):
    """Nadam (Dozat, "Incorporating Nesterov momentum into Adam", 2016), as in Keras.

    m and v as in Adam, `μₜ = β₁(1 − ½·0.96ᵗ)`, `u ← u·μₜ` from 1,
    `w ← w − α·(μₜ₊₁·m/(1 − u·μₜ₊₁) + (1 − μₜ)·∇/(1 − u)) / (√(v/(1 − β₂ᵗ)) + ε)`.
    """

    beta_1: float = Field(default=0.9, ge=0, lt=1, description="decay β₁ of the first moment")
    beta_2: float = Field(default=0.999, ge=0, lt=1, description="decay β₂ of the second moment")
    epsilon: float = Field(default=1e-7, gt=0, description="small number ε that keeps the denominator from 0")

    def update(self, scope: UpdateScope, weight: Value, gradient: Value) -> Value:
        beta_1, beta_2 = scope.hyperparameter("beta_1"), scope.hyperparameter("beta_2")
        step = ir.cast(scope.step, "float")
        now, following = (beta_1 * (1.0 - 0.5 * ir.power(_SCHEDULE, step + ahead)) for ahead in (0.0, 1.0))
        slot = scope.slot("momentum_product", initial=1.0, shape=())
        product = slot * now
        scope.assign(slot, product)
        first, second = moments(scope, gradient, beta_1, beta_2)
        ahead = first * (following / (1.0 - product * following)) + gradient * ((1.0 - now) / (1.0 - product))
        spread = ir.sqrt(second / (1.0 - ir.power(beta_2, step)))
        return weight - ahead * scope.hyperparameter("learning_rate") / (spread + scope.hyperparameter("epsilon"))
