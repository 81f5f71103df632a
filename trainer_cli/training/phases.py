"""A phase's program and the state before it in; the state it starts with, and what was kept or reset, out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from trainer_cli.compiler.rate import LEARNING_RATE, SCHEDULE_START, write_rate
from trainer_cli.errors import ConfigError, Problem
from trainer_cli.ir.graph import Graph
from trainer_cli.lazy import np
from trainer_cli.parts.optimizer import Optimizer
from trainer_cli.parts.schedule import Schedule
from trainer_cli.training.contracts import Program
from trainer_cli.training.state import Best, Binding, Patience, RunState


def binding_of(program: Program, optimizer: Optimizer) -> Binding:
    """What optimizer state made by this program belongs to."""
    return Binding(
        optimizer=optimizer.type,
        structural=optimizer.structure(),
        trainable=sorted(name for name, spec in program.weights.items() if spec.trainable),
        slots={name: list(spec.shape) for name, spec in sorted(program.slots.items())},
        schedule=_schedule_of(optimizer),
    )


def enter_phase(state: RunState, program: Program, optimizer: Optimizer, seed: int) -> list[str]:
    """Fit the state to a program: weights carry over, optimizer state if it still means the same. Tells what it did.

    Raises ConfigError if the model has other weights than the state.
    """
    check_weights(state, program)
    old, new = state.binding, binding_of(program, optimizer)
    state.binding = new
    if not old.optimizer:  # the run's first phase: the state is as the program made it
        return []
    difference, counters = old.difference(new), state.counters
    if difference is None:
        notes = [f"weights and the state of {optimizer.type} kept ({counters.optimizer_step:,} updates)"]
        begins = counters.epoch == counters.position == 0
        if begins and new.schedule is not None and new.schedule != old.schedule:
            counters.schedule_start = counters.optimizer_step
            notes.append("the schedule of the learning rate is another one and begins here")
        return notes
    initial = program.initial_state(seed)
    state.slots = {name: initial[name] for name in program.slots}
    counters.optimizer_step = counters.schedule_start = 0
    return [f"weights kept, optimizer state reset: {difference}"]


def _schedule_of(optimizer: Optimizer) -> dict[str, Any] | None:
    rate = optimizer.learning_rate
    return rate.model_dump(mode="json") if isinstance(rate, Schedule) else None


def check_weights(state: RunState, program: Program) -> None:
    """Raise a ConfigError that lists every weight by which state and program differ."""
    problems = []
    for name, spec in program.weights.items():
        if name not in state.weights:
            problems.append(Problem(f"weight `{name}` {tuple(spec.shape)} is new"))
        elif state.weights[name].shape != tuple(spec.shape):
            old = state.weights[name].shape
            problems.append(Problem(f"weight `{name}` changed its shape from {old} to {tuple(spec.shape)}"))
    problems += [Problem(f"weight `{name}` is gone") for name in state.weights if name not in program.weights]
    if problems:
        raise ConfigError(
            [Problem("the architecture differs from the one the checkpoint was made with"), *problems],
            hint="start a new run that takes over the weights that fit: --weights CHECKPOINT",
        )


def begin_search(state: RunState, monitor: str, mode: str, loss: Any, watched: str | None) -> list[str]:
    """Forget the best epoch if what it was measured by has changed, and early stopping's memory in a new phase.

    `monitor` is what the `best` checkpoint goes by, `watched` what early stopping does.
    """
    fresh = state.counters.epoch == 0 and state.counters.position == 0
    if fresh or state.patience.monitor != watched:
        state.patience = Patience(monitor=watched)
        state.kept_weights = {}
    old = state.best
    if (old.monitor, old.mode, old.loss) == (monitor, mode, loss):
        return []
    state.best = Best(monitor=monitor, mode=mode, loss=loss)
    if old.value is None:
        return []
    what = "the loss" if old.monitor == monitor else "what is monitored"
    return [f"the search for the best epoch starts anew, because {what} changed"]


def run_time_numbers(program: Program, state: RunState) -> dict[str, float]:
    """The hyper-parameters that a step is given: the config's, the learning rate as it was reduced since, and when its
    schedule began."""
    numbers = dict(program.hyperparameters)
    if state.plateau.rate is not None:
        numbers[LEARNING_RATE] = state.plateau.rate
    if SCHEDULE_START in numbers:
        numbers[SCHEDULE_START] = float(state.counters.schedule_start)
    return numbers


def learning_rate(program: Program, optimizer: Optimizer, state: RunState) -> float:
    """The learning rate of the last update."""
    rate, counters = optimizer.learning_rate, state.counters
    if not isinstance(rate, Schedule):
        return float(run_time_numbers(program, state).get(LEARNING_RATE, rate))
    from trainer_cli.targets.reference.interpreter import evaluate

    updates = max(counters.optimizer_step - counters.schedule_start - 1, 0)
    numbers: dict[str, float] = {}
    value = write_rate(rate, Graph().input("updates", (), "int"), numbers)
    (result,) = evaluate([value], {"updates": np.asarray(updates), **numbers}, 1)
    return float(result)


def changed_keys(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[tuple[str, object, object]]:
    """Keys whose values differ between two resolved configs: (path, old value, new value)."""
    found: list[tuple[str, object, object]] = []
    _compare("", old, new, found)
    return found


def _compare(path: str, old: Any, new: Any, found: list[tuple[str, object, object]]) -> None:
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        for key in [*old, *(key for key in new if key not in old)]:
            _compare(f"{path}.{key}" if path else str(key), old.get(key), new.get(key), found)
    elif isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        for position, (left, right) in enumerate(zip(old, new, strict=True)):
            _compare(f"{path}[{position}]", left, right, found)
    elif old != new:
        found.append((path, old, new))
