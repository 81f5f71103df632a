"""Adam: a weight and its gradient in, a step scaled by running estimates of the gradient's moments out."""

from __future__ import annotations

from pydantic import Field

from trainer_cli.ir import language as ir
from trainer_cli.ir.graph import Value
from trainer_cli.parts.optimizer import Optimizer, UpdateScope


class Adam(Optimizer):
    """Adam (Kingma and Ba, "Adam: a method for stochastic optimization", 2015), in Keras's form.

    `m ← m + (1 − β₁)(∇ − m)`, `v ← v + (1 − β₂)(∇² − v)`, `w ← w − α·√(1 − β₂ᵗ)/(1 − β₁ᵗ) · m/(√v + ε)`: the ε of
    this form weighs `1/√(1 − β₂ᵗ)` times as much as that of the paper's algorithm, which PyTorch and TensorFlow.js
    have: `epsilon_hat: false`. With `amsgrad` (Reddi, Kale and
    Kumar, "On the convergence of Adam and beyond", 2018) v is replaced by its maximum over all steps.
    """

    structural = ("amsgrad",)

    beta_1: float = Field(default=0.9, ge=0, lt=1, description="decay β₁ of the first moment")
    beta_2: float = Field(default=0.999, ge=0, lt=1, description="decay β₂ of the second moment")
    epsilon: float = Field(default=1e-7, gt=0, description="small number ε that keeps the denominator from 0")
    epsilon_hat: bool = Field(
        default=True, description="whether ε is added to √v as it is, as in Keras, or to the corrected √(v/(1 − β₂ᵗ))"
    )
    amsgrad: bool = Field(default=False, description="divide by the largest second moment so far")

    def update(self, scope: UpdateScope, weight: Value, gradient: Value) -> Value:
        first, second = moments(scope, gradient, scope.hyperparameter("beta_1"), scope.hyperparameter("beta_2"))
        if self.amsgrad:
            largest_slot = scope.slot("largest_second_moment")
            second = ir.maximum(largest_slot, second)
            scope.assign(largest_slot, second)
        rate, epsilon = scope.hyperparameter("learning_rate"), scope.hyperparameter("epsilon")
        if self.epsilon_hat:
            return weight - first * (rate * correction(scope)) / (ir.sqrt(second) + epsilon)
        first_decayed, second_decayed = decays(scope)
        spread = ir.sqrt(second * (1.0 / (1.0 - second_decayed))) + epsilon
        return weight - first * (rate / (1.0 - first_decayed)) / spread


def moments(scope: UpdateScope, gradient: Value, beta_1: Value, beta_2: Value) -> tuple[Value, Value]:
    """The next running means of the gradient and of its square, which are kept in slots."""
    first_slot, second_slot = scope.slot("first_moment"), scope.slot("second_moment")
    first = first_slot + (gradient - first_slot) * (1.0 - beta_1)
    second = second_slot + (ir.square(gradient) - second_slot) * (1.0 - beta_2)
    scope.assign(first_slot, first)
    scope.assign(second_slot, second)
    return first, second


def correction(scope: UpdateScope, beta_1: str = "beta_1", beta_2: str = "beta_2") -> Value:
    """`√(1 − β₂ᵗ)/(1 − β₁ᵗ)`, which makes up for moments that began at 0."""
    first, second = decays(scope, beta_1, beta_2)
    return ir.sqrt(1.0 - second) / (1.0 - first)


def decays(scope: UpdateScope, beta_1: str = "beta_1", beta_2: str = "beta_2") -> tuple[Value, Value]:
    """`β₁ᵗ` and `β₂ᵗ`, what is left of the first values of the moments."""
    step = ir.cast(scope.step, "float")
    return ir.power(scope.hyperparameter(beta_1), step), ir.power(scope.hyperparameter(beta_2), step)
