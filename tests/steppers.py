"""Optimizers for tests: an optimizer and first weights in; the weights and slots after steps on the reference out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trainer_cli.compiler.trace import WeightSpec
from trainer_cli.compiler.update import apply_optimizer, check_patterns
from trainer_cli.ir.graph import Graph
from trainer_cli.parts.constraint import Constraint
from trainer_cli.parts.initializers.zeros import Zeros
from trainer_cli.parts.optimizer import Optimizer
from trainer_cli.targets.reference.interpreter import evaluate


class Stepper:
    """Applies an optimizer to one weight, step by step, on the reference in float64."""

    def __init__(
        self, optimizer: Optimizer, weight: Any, *, name: str = "weight", constraint: Constraint | None = None
    ) -> None:
        self.name = name
        self._model = Trainer(optimizer, {name: weight}, {name: constraint})
        self.hyperparameters = self._model.update.hyperparameters
        self.graph = self._model.graph

    @property
    def weight(self) -> NDArray[np.float64]:
        return self._model.weights[self.name]

    @property
    def slots(self) -> dict[str, NDArray[np.float64]]:
        """The slots by their short names."""
        return {name.removeprefix(f"{self.name}/"): value for name, value in self._model.slots.items()}

    def step(self, gradient: Any, **changed: float) -> NDArray[np.float64]:
        """The weight after a step with this gradient; `changed` gives hyper-parameters other than the optimizer's."""
        return self._model.step({self.name: gradient}, **changed)[self.name]


class Trainer:
    """Applies an optimizer to several weights by name, step by step, on the reference in float64."""

    def __init__(
        self,
        optimizer: Optimizer,
        weights: Mapping[str, Any],
        constraints: Mapping[str, Constraint | None] | None = None,
    ) -> None:
        self.weights = {name: np.asarray(weight, dtype=np.float64) for name, weight in weights.items()}
        self.graph = Graph()
        specs, values, gradients = [], [], []
        for name, weight in self.weights.items():
            layer, constraint = name.partition("/")[0], (constraints or {}).get(name)
            specs.append(WeightSpec(name, layer, weight.shape, Zeros(), None, constraint, trainable=True))
            values.append(self.graph.weight(name, weight.shape))
            gradients.append(self.graph.input(f"gradient of {name}", weight.shape))
        check_patterns(optimizer, list(weights))
        self.update = apply_optimizer(self.graph, specs, values, gradients, optimizer)
        self.slots = {slot.name: np.full(slot.shape, slot.initial) for slot in self.update.slots.values()}
        assert set(self.graph.updates) == {*self.weights, *self.slots}
        for name, value in self.graph.updates.items():
            assert value.shape == {**self.weights, **self.slots}[name].shape
        self.steps = 0

    def step(self, gradients: Mapping[str, Any], **changed: float) -> dict[str, NDArray[np.float64]]:
        """The weights after a step with these gradients."""
        bound: dict[str, Any] = {"step": self.steps, **self.update.hyperparameters, **changed}
        bound |= {f"gradient of {name}": gradient for name, gradient in gradients.items()}
        found = evaluate([*self.graph.updates.values()], bound | self.weights | self.slots, 1)
        following = dict(zip(self.graph.updates, found, strict=True))
        self.weights = {name: following[name] for name in self.weights}
        self.slots = {name: following[name] for name in self.slots}
        self.steps += 1
        return self.weights
