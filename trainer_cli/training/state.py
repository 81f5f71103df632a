"""The whole of a run at one moment: weights, optimizer state, counters and history; enough, alone, to go on from it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias

from trainer_cli.lazy import NDArray, np

Tensors: TypeAlias = "dict[str, NDArray[Any]]"


@dataclass
class Counters:
    """Where the run stands. The order of the rows needs no state: it is a function of (seed, phase, epoch)."""

    phase: int = 0  # position in the list of phases
    epoch: int = 0  # epochs of this phase that are done
    position: int = 0  # rows of the epoch under way that are trained on
    epoch_steps: int = 0  # updates made with them
    step: int = 0  # updates of the whole run
    optimizer_step: int = 0  # updates since the optimizer's state was last reset
    schedule_start: int = 0  # how many of them were made before the learning rate's schedule began


@dataclass
class Patience:
    """What early stopping remembers within a phase."""

    monitor: str | None = None
    wait: int = 0
    best: float | None = None
    best_epoch: int | None = None  # counted from 0, as in the counters
    stopped: bool = False
    restored: bool = False  # the phase ended with the best epoch's weights


@dataclass
class Plateau:
    """What the reduction of the learning rate remembers within a phase."""

    monitor: str | None = None
    wait: int = 0
    cooldown: int = 0
    best: float | None = None
    begun: float | None = None  # the config's learning rate, from which the reductions began
    rate: float | None = None  # the learning rate now; None: the config's


@dataclass
class Best:
    """The epoch that the `best` checkpoint is from."""

    monitor: str | None = None
    mode: str = "min"
    loss: Any = None  # the loss's config: values under different losses do not compare
    value: float | None = None
    report: dict[str, Any] | None = None


@dataclass
class Binding:
    """What optimizer state belongs to: it survives a recompilation if and only if this stays the same."""

    optimizer: str = ""
    structural: dict[str, Any] = field(default_factory=dict)
    trainable: list[str] = field(default_factory=list)
    slots: dict[str, list[int]] = field(default_factory=dict)
    schedule: dict[str, Any] | None = None  # of the learning rate; the state survives another one

    def difference(self, new: Binding) -> str | None:
        """Why state made under this binding cannot be used under `new`, or None if it can."""
        reasons = []
        if self.optimizer != new.optimizer:
            reasons.append(f"the optimizer changed from {self.optimizer} to {new.optimizer}")
        elif self.structural != new.structural:
            keys = sorted({*self.structural, *new.structural})
            changed = [f"`{key}`" for key in keys if self.structural.get(key) != new.structural.get(key)]
            reasons.append(f"{', '.join(changed)} of {new.optimizer} changed")
        if self.trainable != new.trainable:
            reasons.append(_trainable_difference(self.trainable, new.trainable))
        if not reasons and self.slots != new.slots:
            reasons.append(f"the state that {new.optimizer} keeps per weight changed")
        return ", and ".join(reasons) or None


def _trainable_difference(old: list[str], new: list[str]) -> str:
    parts = []
    added = sorted(set(new) - set(old))
    removed = sorted(set(old) - set(new))
    if removed:
        parts.append(f"no longer trained: {_some(removed)}")
    if added:
        parts.append(f"now trained: {_some(added)}")
    return f"the set of trained weights changed ({'; '.join(parts)})"


def _some(names: list[str], limit: int = 4) -> str:
    return ", ".join(names[:limit]) + (f" and {len(names) - limit} more" if len(names) > limit else "")


@dataclass
class RunState:
    """Everything that a checkpoint holds."""

    weights: Tensors = field(default_factory=dict)
    slots: Tensors = field(default_factory=dict)
    totals: Tensors = field(default_factory=dict)  # sums of the epoch under way, float64
    kept_weights: Tensors = field(default_factory=dict)  # early stopping's best, if it is to restore them
    counters: Counters = field(default_factory=Counters)
    patience: Patience = field(default_factory=Patience)
    plateau: Plateau = field(default_factory=Plateau)
    best: Best = field(default_factory=Best)
    binding: Binding = field(default_factory=Binding)
    seed: int = 0
    config: dict[str, Any] = field(default_factory=dict)
    encoding: dict[str, Any] | None = None
    digest: str | None = None  # of the data
    history: list[dict[str, Any]] = field(default_factory=list)
    test: dict[str, float | None] = field(default_factory=dict)  # metrics on the test rows, once the run is over
    epoch_seconds: float = 0.0  # spent on the epoch under way
    compile_seconds: float = 0.0

    def copy(self) -> RunState:
        """An independent copy; the arrays are shared, because nobody writes into one."""
        tensors = {name: dict(getattr(self, name)) for name in ("weights", "slots", "totals", "kept_weights")}
        names = ("counters", "patience", "plateau", "best", "binding")
        records = {name: replace(getattr(self, name)) for name in names}
        return replace(self, history=list(self.history), **tensors, **records)  # type: ignore[arg-type]

    def tensors(self) -> Tensors:
        """Weights and optimizer state in one mapping, as an executable takes them."""
        return {**self.weights, **self.slots}

    def take(self, tensors: Mapping[str, NDArray[Any]], slot_names: set[str]) -> None:
        """Replace weights and optimizer state by an executable's."""
        self.weights = {name: value for name, value in tensors.items() if name not in slot_names}
        self.slots = {name: value for name, value in tensors.items() if name in slot_names}

    def close_epoch(self, trained: RunState, report: dict[str, Any]) -> None:
        """Become the state after the epoch under way: `trained` is that of its last step, `report` its measures."""
        self.weights, self.slots = trained.weights, trained.slots
        self.counters.step = trained.counters.step
        self.counters.optimizer_step = trained.counters.optimizer_step
        self.counters.position = self.counters.epoch_steps = 0
        self.counters.epoch += 1
        self.totals, self.epoch_seconds = {}, 0.0
        self.history.append(report)

    def non_finite(self) -> list[str]:
        """Names of weights and optimizer state that hold a NaN or an infinity."""
        return [name for name, value in self.tensors().items() if not np.all(np.isfinite(value))]
