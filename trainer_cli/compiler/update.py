"""The update pass: a mean loss and an optimizer in, the graph with every weight's and slot's next value out."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

from trainer_cli.compiler.gradient import gradients
from trainer_cli.compiler.trace import WeightSpec
from trainer_cli.ir import language as ir
from trainer_cli.ir.graph import Graph, Value
from trainer_cli.ir.primitive import IRError
from trainer_cli.parts.optimizer import Optimizer


class SlotSpec(NamedTuple):
    """A state tensor of the optimizer: `<weight>/<slot>`, its shape and first value."""

    name: str
    weight: str
    shape: tuple[int, ...]
    initial: float


@dataclass(eq=False, repr=False)
class Update:
    """The slots and the run-time hyper-parameters (with the values that the config gives) of an optimizer."""

    slots: dict[str, SlotSpec] = field(default_factory=dict)
    hyperparameters: dict[str, float] = field(default_factory=dict)


class Scope:
    """The update of one weight as the optimizer sees it; see `trainer_cli.parts.optimizer.UpdateScope`."""

    def __init__(self, graph: Graph, update: Update, optimizer: Optimizer, weight: Value) -> None:
        self._graph = graph
        self._update = update
        self._optimizer = optimizer
        self._weight = weight

    @property
    def step(self) -> Value:
        return self._graph.step() + 1

    def hyperparameter(self, name: str) -> Value:
        self._update.hyperparameters[name] = float(getattr(self._optimizer, name))
        return self._graph.hyperparameter(name)

    def slot(self, name: str, initial: float = 0.0) -> Value:
        full = f"{self._weight.name}/{name}"
        shape = tuple(int(extent) for extent in self._weight.shape)
        self._update.slots[full] = SlotSpec(full, self._weight.name, shape, initial)
        return self._graph.state(full, shape)

    def assign(self, slot: Value, value: Value) -> None:
        self._graph.updates[slot.name] = value


def write_updates(graph: Graph, mean_loss: Value, weights: dict[str, WeightSpec], optimizer: Optimizer) -> Update:
    """Differentiate the loss by every trainable weight and write the weights' next values into `graph.updates`.

    The order is the optimizer's step, then the constraint, as in Keras.
    """
    trainable = [spec for spec in weights.values() if spec.trainable]
    values = [graph.weight(spec.name, spec.shape) for spec in trainable]
    update = Update()
    for spec, weight, gradient in zip(trainable, values, gradients(mean_loss, values), strict=True):
        with graph.layer(spec.layer):
            scope = Scope(graph, update, optimizer, weight)
            updated = optimizer.update(scope, weight, gradient)
            if spec.constraint is not None:
                updated = spec.constraint.project(updated)
        if updated.shape != weight.shape:
            raise IRError(f"{optimizer.type} gives {spec.name} the shape {updated.shape}")
        graph.updates[spec.name] = ir.cast(updated, "float")
    return update
