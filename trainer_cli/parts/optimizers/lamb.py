"""LAMB: a weight and its gradient in, a step as Adam's with the norm of the weight times the rate out."""

from __future__ import annotations

from pydantic import Field

from trainer_cli.ir import language as ir
from trainer_cli.ir.graph import Value
from trainer_cli.parts.optimizer import Optimizer, UpdateScope
from trainer_cli.parts.optimizers.adam import moments


class Lamb(Optimizer):
    """LAMB (You et al., "Large batch optimization for deep learning: training BERT in 76 minutes", 2020), as in Keras.

    m and v as in Adam, `r = m/(1 − β₁ᵗ) / (√(v/(1 − β₂ᵗ)) + ε)`, `w ← w − α·‖w‖/‖r‖·r`, the norms over the whole
    weight; where one of them is 0 their ratio counts as 1.
    """

    beta_1: float = Field(default=0.9, ge=0, lt=1, description="decay β₁ of the first moment")
    beta_2: float = Field(default=0.999, ge=0, lt=1, description="decay β₂ of the second moment")
    epsilon: float = Field(default=1e-7, gt=0, description="small number ε that keeps the denominator from 0")

    def update(self, scope: UpdateScope, weight: Value, gradient: Value) -> Value:
        beta_1, beta_2 = scope.hyperparameter("beta_1"), scope.hyperparameter("beta_2")
        step = ir.cast(scope.step, "float")
        first, second = moments(scope, gradient, beta_1, beta_2)
        spread = ir.sqrt(second / (1.0 - ir.power(beta_2, step))) + scope.hyperparameter("epsilon")
        direction = first / (1.0 - ir.power(beta_1, step)) / spread
        own, other = (ir.sqrt(ir.reduce_sum(ir.square(each))) for each in (weight, direction))
        usable = ir.logical_and(ir.greater(own, 0.0), ir.greater(other, 0.0))
        ratio = ir.select(usable, own / other, 1.0)
        return weight - direction * (ratio * scope.hyperparameter("learning_rate"))
