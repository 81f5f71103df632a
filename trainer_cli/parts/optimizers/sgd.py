"""Gradient descent: a weight and its gradient in, a step against the gradient out, with momentum if wanted."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from trainer_cli.ir.graph import Value
from trainer_cli.parts.optimizer import Optimizer, UpdateScope
from trainer_cli.parts.schedule import LearningRate


class Sgd(Optimizer):
    """Stochastic gradient descent (Robbins and Monro, 1951).

    Without momentum `w ← w − α·∇`. With momentum μ (Polyak, 1964) `v ← μ·v − α·∇`, `w ← w + v`; with `nesterov`
    (Sutskever, Martens, Dahl and Hinton, "On the importance of initialization and momentum in deep learning", 2013)
    `w ← w + μ·v − α·∇`. As in Keras the learning rate is part of the velocity: a change of it acts gradually. With
    `rate_in_velocity: false`, as in PyTorch and TensorFlow.js, it acts at once: `v ← μ·v + ∇`, `w ← w − α·v` or
    `w ← w − α·(∇ + μ·v)`.
    """

    learning_rate: LearningRate = Field(default=0.01, description="step size α")
    momentum: float = Field(default=0.0, ge=0, le=1, description="fraction μ of the velocity that is kept")
    nesterov: bool = Field(default=False, description="look ahead along the velocity")

    rate_in_velocity: bool = Field(default=True, description="whether the velocity holds steps, or gradients")

    def structure(self) -> dict[str, Any]:
        moving = self.momentum > 0
        own = {
            "momentum": moving,
            "nesterov": moving and self.nesterov,
            "rate_in_velocity": moving and self.rate_in_velocity,
        }
        return {**super().structure(), **own}

    def update(self, scope: UpdateScope, weight: Value, gradient: Value) -> Value:
        rate = scope.hyperparameter("learning_rate")
        if self.momentum == 0:
            return weight - gradient * rate
        step = gradient * rate if self.rate_in_velocity else gradient
        momentum = scope.hyperparameter("momentum")
        slot = scope.slot("velocity")
        velocity = slot * momentum - step
        scope.assign(slot, velocity)
        moved = velocity * momentum - step if self.nesterov else velocity
        return weight + (moved if self.rate_in_velocity else moved * rate)
