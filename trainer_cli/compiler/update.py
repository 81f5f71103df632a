"""The update pass: a mean loss and an optimizer in, the graph with every weight's and slot's next value out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from trainer_cli.compiler.gradient import gradients
from trainer_cli.compiler.rate import LEARNING_RATE, SCHEDULE_START, write_rate
from trainer_cli.compiler.trace import WeightSpec
from trainer_cli.errors import ConfigError, Problem
from trainer_cli.ir import language as ir
from trainer_cli.ir.graph import Graph, Value
from trainer_cli.ir.primitive import IRError
from trainer_cli.parts.optimizer import Optimizer, found_in
from trainer_cli.parts.schedule import Schedule

AVERAGE = "average"
"""The slot that holds the average of a weight."""
MULTIPLIER = "learning_rate_multiplier"
"""The run-time input that the learning rate of a weight is multiplied by: `<weight>/learning_rate_multiplier`."""


class SlotSpec(NamedTuple):
    """A state tensor of the optimizer: `<weight>/<slot>`, its shape and first value."""

    name: str
    weight: str
    shape: tuple[int, ...]
    initial: float


@dataclass(eq=False, repr=False)
class Update:
    """The slots and the run-time hyper-parameters (with the values that the config gives) of an optimizer.

    `averages`: by the names of weights, the slots that stand in for them when the model is evaluated.
    """

    slots: dict[str, SlotSpec] = field(default_factory=dict)
    hyperparameters: dict[str, float] = field(default_factory=dict)
    averages: dict[str, str] = field(default_factory=dict)


class _Step:
    """What the updates of all weights share: the counts, the learning rate and whether this batch makes an update."""

    def __init__(self, graph: Graph, optimizer: Optimizer) -> None:
        self.graph = graph
        self.optimizer = optimizer
        self.update = Update()
        batches = graph.step()
        passed = batches
        if isinstance(optimizer.learning_rate, Schedule):
            self.update.hyperparameters[SCHEDULE_START] = 0.0
            passed = ir.cast(batches, "float") - graph.hyperparameter(SCHEDULE_START)
        self.numbers = {LEARNING_RATE: write_rate(optimizer.learning_rate, passed, self.update.hyperparameters)}
        self.updates = batches
        self.due: Value | None = None
        accumulated = optimizer.gradient_accumulation_steps
        if accumulated is not None:
            self.updates = _quotient(batches, accumulated)
            self.due = _divides(batches + 1, accumulated)

    def number(self, name: str) -> Value:
        """The optimizer's field of that name as a run-time input."""
        if name not in self.numbers:
            self.update.hyperparameters[name] = float(getattr(self.optimizer, name))
            self.numbers[name] = self.graph.hyperparameter(name)
        return self.numbers[name]

    def rate(self, spec: WeightSpec) -> Value:
        """The learning rate of a weight: the optimizer's, times a run-time input where its layer has a multiplier."""
        rate = self.number(LEARNING_RATE)
        if spec.learning_rate_multiplier == 1.0:
            return rate
        name = f"{spec.name}/{MULTIPLIER}"
        self.update.hyperparameters[name] = spec.learning_rate_multiplier
        return rate * self.graph.hyperparameter(name)

    def slot(self, weight: Value, name: str, initial: float = 0.0, shape: tuple[int, ...] | None = None) -> Value:
        full = f"{weight.name}/{name}"
        own = tuple(int(extent) for extent in weight.shape) if shape is None else shape
        self.update.slots[full] = SlotSpec(full, weight.name, own, initial)
        return self.graph.state(full, own)

    def if_due(self, value: Value, otherwise: Value) -> Value:
        """A value that counts only if this batch makes an update."""
        return value if self.due is None else ir.select(self.due, value, otherwise)


class Scope:
    """The update of one weight as the optimizer sees it; see `trainer_cli.parts.optimizer.UpdateScope`."""

    def __init__(self, step: _Step, weight: Value, rate: Value) -> None:
        self._step = step
        self._rate = rate
        self.weight = weight
        self.weight_name = weight.name

    @property
    def step(self) -> Value:
        return self._step.updates + 1

    def hyperparameter(self, name: str) -> Value:
        return self._rate if name == LEARNING_RATE else self._step.number(name)

    def slot(self, name: str, initial: float = 0.0, shape: tuple[int, ...] | None = None) -> Value:
        return self._step.slot(self.weight, name, initial, shape)

    def assign(self, slot: Value, value: Value) -> None:
        self._step.graph.updates[slot.name] = self._step.if_due(value, slot)


def write_updates(graph: Graph, mean_loss: Value, weights: Mapping[str, WeightSpec], optimizer: Optimizer) -> Update:
    """Differentiate the loss by every trainable weight and write the weights' next values into `graph.updates`.

    Raises ConfigError for a pattern of the optimizer that is found in no weight's name.
    """
    check_patterns(optimizer, list(weights))
    trainable = [spec for spec in weights.values() if spec.trainable]
    values = [graph.weight(spec.name, spec.shape) for spec in trainable]
    return apply_optimizer(graph, trainable, values, gradients(mean_loss, values), optimizer)


def apply_optimizer(
    graph: Graph,
    specs: Sequence[WeightSpec],
    weights: Sequence[Value],
    gradients: Sequence[Value],
    optimizer: Optimizer,
) -> Update:
    """Write the next values of weights and slots, given the gradients of this batch.

    The order is Keras's: accumulation, clipping, decay, the optimizer's step, the average, the constraint.
    """
    step = _Step(graph, optimizer)
    taken = _clipped(step, [_accumulated(step, *pair) for pair in zip(weights, gradients, strict=True)])
    for spec, weight, gradient in zip(specs, weights, taken, strict=True):
        with graph.layer(spec.layer):
            scope = Scope(step, weight, step.rate(spec))
            decay = optimizer.decay_field(scope, weight)
            decayed = (
                weight
                if decay is None
                else weight - weight * (step.number(decay) * scope.hyperparameter(LEARNING_RATE))
            )
            updated = optimizer.update(scope, decayed, gradient)
            if updated.shape != weight.shape:
                raise IRError(f"{optimizer.type} gives {spec.name} the shape {updated.shape}")
            updated = step.if_due(updated, weight)
            if optimizer.use_ema:
                updated = _averaged(step, weight, updated)
            if spec.constraint is not None:
                updated = spec.constraint.project(updated)
        if updated.shape != weight.shape:
            raise IRError(f"the constraint of {spec.name} gives it the shape {updated.shape}")
        graph.updates[spec.name] = ir.cast(updated, "float")
    return step.update


def _accumulated(step: _Step, weight: Value, gradient: Value) -> Value:
    """The mean gradient of the batches since the last update, if this batch makes one."""
    count = step.optimizer.gradient_accumulation_steps
    if step.due is None or count is None:
        return gradient
    slot = step.slot(weight, "accumulated_gradient")
    total = slot + gradient
    step.graph.updates[slot.name] = ir.select(step.due, 0.0, total)
    return total / float(count)


def _clipped(step: _Step, gradients: list[Value]) -> list[Value]:
    optimizer = step.optimizer
    if optimizer.clipnorm is not None:
        return [each * _shrinking([each], step.number("clipnorm")) for each in gradients]
    if optimizer.global_clipnorm is not None and gradients:
        factor = _shrinking(gradients, step.number("global_clipnorm"))
        return [each * factor for each in gradients]
    if optimizer.clipvalue is not None:
        limit = step.number("clipvalue")
        return [ir.clip(each, -limit, limit) for each in gradients]
    return gradients


def _shrinking(gradients: list[Value], limit: Value) -> Value:
    """The factor by which the norm of all these gradients together is brought down to `limit`, 1 if it is below."""
    total = ir.reduce_sum(ir.square(gradients[0]))
    for gradient in gradients[1:]:
        total = total + ir.reduce_sum(ir.square(gradient))
    return limit / ir.maximum(ir.sqrt(total), limit)


def _averaged(step: _Step, weight: Value, updated: Value) -> Value:
    """Keep the average of a weight; the weight's next value, which is the average where it overwrites the weight."""
    slot = step.slot(weight, AVERAGE)
    step.update.averages[weight.name] = slot.name
    momentum = step.number("ema_momentum")
    kept = ir.select(ir.equal(step.updates, 0), 0.0, momentum)
    average = slot * kept + updated * (1.0 - kept)
    step.graph.updates[slot.name] = average
    frequency = step.optimizer.ema_overwrite_frequency
    if frequency is None:
        return updated
    return ir.select(_divides(step.updates + 1, frequency), average, updated)


def _quotient(count: Value, divisor: int) -> Value:
    """The whole part of an int scalar's quotient; what the division of floats rounded up is put right."""
    rough = ir.cast(ir.floor(ir.cast(count, "float") / float(divisor)), "int")
    return rough - ir.cast(ir.greater(rough * divisor, count), "int")


def _divides(count: Value, divisor: int) -> Value:
    return ir.equal(_quotient(count, divisor) * divisor, count)


def check_patterns(optimizer: Optimizer, names: Sequence[str]) -> None:
    """Raise ConfigError for every pattern that is found in no weight's name: it is a slip of the pen."""
    problems = []
    for name in optimizer.patterns:
        for index, pattern in enumerate(getattr(optimizer, name)):
            if not any(found_in((pattern,), each) for each in names):
                from difflib import get_close_matches

                near = get_close_matches(pattern, {part for each in names for part in each.split("/")}, n=1)
                hint = f"did you mean `{near[0]}`?" if near else f"weights: {', '.join(names[:10])}"
                message = f"no weight's name contains `{pattern}`"
                problems.append(Problem(message, ("optimizer", name, index), hint))
    if problems:
        raise ConfigError(problems)
