"""FTRL: a weight and its gradient in, the weight that is best for all gradients so far and sparse if wanted out."""

from __future__ import annotations

from pydantic import Field

from trainer_cli.ir import language as ir
from trainer_cli.ir.graph import Value
from trainer_cli.parts.optimizer import Optimizer, UpdateScope


class Ftrl(Optimizer):
    """Follow the regularized leader (McMahan et al., "Ad click prediction: a view from the trenches", 2013), as in
    Keras.

    `n′ = n + ∇²`, `z ← z + ∇ + 2s·w − (n′^−p − n^−p)/α·w`, `w ← (clip(z, −λ₁, λ₁) − z)/(n′^−p/α + 2λ₂ + β/α)`,
    `n ← n′`. Where |z| is at most λ₁ the weight is exactly 0.
    """

    learning_rate_power: float = Field(default=-0.5, le=0, description="p: how the rate falls with n; 0 keeps it")
    initial_accumulator_value: float = Field(default=0.1, ge=0, description="first value of n")
    l1_regularization_strength: float = Field(default=0.0, ge=0, description="λ₁, which makes weights 0")
    l2_regularization_strength: float = Field(default=0.0, ge=0, description="λ₂, which makes weights small")
    l2_shrinkage_regularization_strength: float = Field(default=0.0, ge=0, description="s: penalty on ‖w‖² in the loss")
    beta: float = Field(default=0.0, ge=0, description="β of the paper, which slows the first steps")

    def update(self, scope: UpdateScope, weight: Value, gradient: Value) -> Value:
        rate, l1 = scope.hyperparameter("learning_rate"), scope.hyperparameter("l1_regularization_strength")
        exponent = -scope.hyperparameter("learning_rate_power")
        slot = scope.slot("accumulator", initial=self.initial_accumulator_value)
        linear_slot = scope.slot("linear")
        accumulator = slot + ir.square(gradient)
        grown = ir.power(accumulator, exponent)
        shrunk = gradient + weight * (2.0 * scope.hyperparameter("l2_shrinkage_regularization_strength"))
        linear = linear_slot + shrunk - weight * (grown - ir.power(slot, exponent)) / rate
        scope.assign(slot, accumulator)
        scope.assign(linear_slot, linear)
        slope = 2.0 * scope.hyperparameter("l2_regularization_strength") + scope.hyperparameter("beta") / rate
        return (ir.clip(linear, -l1, l1) - linear) / (grown / rate + slope)
