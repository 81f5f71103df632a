"""Adafactor: a weight and its gradient in, a step scaled by means of squares along rows and columns out."""

from __future__ import annotations

from pydantic import Field

from trainer_cli.ir import language as ir
from trainer_cli.ir.graph import Value
from trainer_cli.parts.optimizer import Optimizer, UpdateScope


class Adafactor(Optimizer):
    """Adafactor (Shazeer and Stern, "Adafactor: adaptive learning rates with sublinear memory cost", 2018),
    as in Keras.

    For a weight `(…, rows, columns)` running means of ∇² + ε₁ along columns, r, and along rows, c, are kept, with the
    decay `1 − tᵈ`, and `v = r·c/mean(r)`; a vector keeps v itself. `u = ∇/√v`,
    `w ← w − max(ε₂, rms(w))·min(α, 1/√t)·u/max(1, rms(u)/δ)`. Keras has an argument `relative_step` too; as the rate is
    limited by `1/√t` there in any case, it changes nothing and is left out here.
    """

    beta_2_decay: float = Field(default=-0.8, le=0, description="exponent d by which the means forget ever more slowly")
    epsilon_1: float = Field(default=1e-30, gt=0, description="small number ε₁ that keeps the denominator from 0")
    epsilon_2: float = Field(default=1e-3, gt=0, description="smallest size ε₂ that a weight counts as")
    clip_threshold: float = Field(default=1.0, gt=0, description="largest root mean square δ of a step")

    def update(self, scope: UpdateScope, weight: Value, gradient: Value) -> Value:
        step = ir.cast(scope.step, "float")
        rate = ir.minimum(scope.hyperparameter("learning_rate"), 1.0 / ir.sqrt(step))
        size = ir.maximum(scope.hyperparameter("epsilon_2"), _root_mean_square(weight))
        kept = 1.0 - ir.power(step, scope.hyperparameter("beta_2_decay"))
        square = ir.square(gradient) + scope.hyperparameter("epsilon_1")
        if weight.rank >= 2:
            # Divided by one root after the other: in a row without gradient, as an embedding has for a token that a
            # batch lacks, the product of both would be 0 in float32 and make the weight NaN, as it does in Keras.
            rows, columns = _factors(scope, square, kept)
            direction = gradient / ir.sqrt(rows) / ir.sqrt(columns)
        else:
            direction = gradient / ir.sqrt(_running(scope, "mean_square", square, kept))
        limit = ir.maximum(1.0, _root_mean_square(direction) / scope.hyperparameter("clip_threshold"))
        return weight - direction * (size * rate / limit)


def _factors(scope: UpdateScope, square: Value, kept: Value) -> tuple[Value, Value]:
    """The running means along both axes, whose product stands for the running mean of all elements."""
    rows = _running(scope, "row_mean_square", ir.reduce_mean(square, -1), kept)
    columns = _running(scope, "column_mean_square", ir.reduce_mean(square, -2), kept)
    share = rows / ir.reduce_mean(rows, -1, keepdims=True)
    return ir.reshape(share, (*share.shape, 1)), ir.reshape(columns, (*columns.shape[:-1], 1, columns.shape[-1]))


def _running(scope: UpdateScope, name: str, value: Value, kept: Value) -> Value:
    slot = scope.slot(name, shape=tuple(int(extent) for extent in value.shape))
    mean = slot * kept + value * (1.0 - kept)
    scope.assign(slot, mean)
    return mean


def _root_mean_square(value: Value) -> Value:
    return ir.sqrt(ir.reduce_mean(ir.square(value)))
