"""A run directory or checkpoint in; the state to go on from, and what is different from then, out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from trainer_cli.config.schema import EarlyStopping
from trainer_cli.errors import DataError
from trainer_cli.training.checkpoints import CheckpointError, find_checkpoint, read_checkpoint, write_atomically
from trainer_cli.training.events import Resumed
from trainer_cli.training.numbered import forget_later_best
from trainer_cli.training.phases import changed_keys
from trainer_cli.training.run_directory import RunDirectory, create_run_directory, latest_run, open_run_directory
from trainer_cli.training.state import RunState


@dataclass(frozen=True)
class Found:
    """The checkpoint that a run goes on from, and what had to be done to get it."""

    checkpoint: Path
    notes: tuple[str, ...] = ()


def open_resumed(
    resume: Path | bool, name: str, digest: str, run_directory: Path | None
) -> tuple[RunDirectory, RunState, Found]:
    """The folder and the state of a run to go on with. Raises ConfigError, CheckpointError or DataError."""
    path = latest_run(name) if isinstance(resume, bool) else resume
    state, found = _read_newest(path)
    if state.digest != digest:
        raise DataError(
            "the data is not what this run was trained on, so the run cannot go on as if nothing had happened",
            hint=f"start a new run from its weights: --weights {found.checkpoint}",
        )
    own = found.checkpoint.parents[1] if found.checkpoint.parent.name == "checkpoints" else None
    if own is not None and (run_directory is None or run_directory.absolute() == own.absolute()):
        opened = open_run_directory(own)
        return opened, state, replace(found, notes=(*found.notes, *forget_later_best(opened, state)))
    directory = create_run_directory(name, run_directory)
    best = found.checkpoint.with_name("best.safetensors")
    if best.is_file():
        write_atomically(directory.best, best.read_bytes())
    return directory, state, found


def describe(state: RunState, found: Found, config: Mapping[str, Any], phases: int, notes: Sequence[str]) -> Resumed:
    """Where a run goes on, for people; `config` is the one it goes on with."""
    counters = state.counters
    finished = counters.phase >= phases
    return Resumed(
        checkpoint=found.checkpoint,
        phase=phases if finished else counters.phase + 1,
        epoch=_epochs_done(state, phases) if finished else counters.epoch,
        step=counters.step,
        changed=tuple(changed_keys(state.config, config)),
        notes=(*found.notes, *notes),
    )


def _read_newest(path: Path) -> tuple[RunState, Found]:
    checkpoint = find_checkpoint(path, prefer="last")
    try:
        return read_checkpoint(checkpoint), Found(checkpoint)
    except CheckpointError as error:
        best = checkpoint.with_name("best.safetensors")
        if checkpoint.name != "last.safetensors" or not best.is_file():
            raise
        try:
            state = read_checkpoint(best)
        except CheckpointError:
            raise error from None
        return state, Found(best, (f"{error.message}; going on from the best epoch instead",))


def reopen(
    state: RunState, epochs: Sequence[int], early_stopping: EarlyStopping | None, *, extended: bool
) -> list[str]:
    """If the run is finished but its last phase may now train for longer, go back into that phase."""
    if state.counters.phase < len(epochs):
        return []
    patience, done = state.patience, _epochs_done(state, len(epochs))
    if extended:
        patience = replace(patience, wait=0, stopped=False)
    elif patience.stopped and (early_stopping is None or patience.wait < early_stopping.patience):
        patience = replace(patience, stopped=False)
    if patience.stopped or done >= epochs[-1]:
        return ["the run is finished already; --extend-epochs trains it further"]
    state.counters.phase = len(epochs) - 1
    state.counters.epoch = done
    state.kept_weights = dict(state.weights) if patience.restored else {}
    state.patience = replace(patience, restored=False)
    state.test = {}
    return []


def _epochs_done(state: RunState, phase: int) -> int:
    """Epochs that are trained of a phase, counted from 1."""
    return sum(1 for line in state.history if line["phase"] == phase)
