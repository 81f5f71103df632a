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
    `w ← w + μ·v − α·∇`. As in Keras the learning rate is part of the velocity: a change of it acts gradually.
    """

    learning_rate: LearningRate = Field(default=0.01, description="step size α")
    momentum: float = Field(default=0.0, ge=0, le=1, description="fraction μ of the velocity that is kept")
    nesterov: bool = Field(default=False, description="look ahead along the velocity")

    def structure(self) -> dict[str, Any]:
        own = {"momentum": self.momentum > 0, "nesterov": self.momentum > 0 and self.nesterov}
        return {**super().structure(), **own}

    def update(self, scope: UpdateScope, weight: Value, gradient: Value) -> Value:
        step = gradient * scope.hyperparameter("learning_rate")
        if self.momentum == 0:
            return weight - step
        momentum = scope.hyperparameter("momentum")
        slot = scope.slot("velocity")
        velocity = slot * momentum - step
        scope.assign(slot, velocity)
        if self.nesterov:
            return weight + (velocity * momentum - step)
        return weight + velocity
