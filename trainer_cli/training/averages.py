"""A run's state in; its weights as the model is evaluated with them, averages in place of what is trained, out."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from trainer_cli.compiler.update import AVERAGE
from trainer_cli.targets.target import Executable
from trainer_cli.training.state import RunState, Tensors


def evaluated_weights(state: RunState) -> Tensors:
    """The weights by name, those that an average is kept of replaced by it."""
    return {name: state.slots.get(f"{name}/{AVERAGE}", value) for name, value in state.weights.items()}


def evaluated(state: RunState) -> RunState:
    """A copy of the state whose weights are those that the model is evaluated with."""
    copy = state.copy()
    copy.weights = evaluated_weights(state)
    return copy


@contextmanager
def evaluating(executable: Executable, state: RunState) -> Iterator[None]:
    """Within the block the executable, which holds the state, holds the weights to evaluate with."""
    if not _has_averages(state):
        yield
        return
    executable.load(evaluated(state).tensors())
    try:
        yield
    finally:
        executable.load(state.tensors())


def settle_weights(state: RunState) -> bool:
    """End a phase: the best epoch's weights, or the averages, become the weights. Whether they changed."""
    if state.kept_weights:
        state.weights, state.kept_weights = state.kept_weights, {}
        state.patience.restored = True
        begun = {f"{name}/{AVERAGE}": value for name, value in state.weights.items()}
        state.slots = {name: begun.get(name, value) for name, value in state.slots.items()}
        return True
    if _has_averages(state):
        state.weights = evaluated_weights(state)
        return True
    return False


def _has_averages(state: RunState) -> bool:
    return any(f"{name}/{AVERAGE}" in state.slots for name in state.weights)
