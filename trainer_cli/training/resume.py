"""A run directory or checkpoint in; the state to go on from, and what is different from then, out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from trainer_cli.config.schema import EarlyStopping
from trainer_cli.errors import DataError
from trainer_cli.training.checkpoints import CheckpointError, find_checkpoint, read_checkpoint, write_atomically
from trainer_cli.training.events import Resumed
from trainer_cli.training.numbered import forget_later_best
from trainer_cli.training.phases import changed_keys
from trainer_cli.training.run_directory import (
    RunDirectory,
    create_run_directory,
    is_unborn,
    latest_run,
    open_run_directory,
)
from trainer_cli.training.state import RunState


@dataclass(frozen=True)
class Found:
    """The checkpoint that a run goes on from, and what had to be done to get it."""

    checkpoint: Path
    notes: tuple[str, ...] = ()
    damaged: Path | None = None  # a newer one that cannot be read


def open_resumed(
    resume: Path | bool, name: str, digest: str, run_directory: Path | None, command: Sequence[str] = ()
) -> tuple[RunDirectory, RunState | None, Found]:
    """The folder and the state of a run to go on with; no state if the run has not written any yet.

    Raises ConfigError, CheckpointError, DataError, or ResourceError if another process writes to the run.
    """
    path = latest_run(name) if isinstance(resume, bool) else resume
    own = path if path.is_dir() else path.parents[1] if path.parent.name == "checkpoints" else None
    if own is None or (run_directory is not None and run_directory.absolute() != own.absolute()):
        state, found = _read_newest(path)
        _check_digest(state, digest, found)
        return _another_folder(create_run_directory(name, run_directory), found), state, found
    # Nobody may write to the run while it is read, or this would go on from what is past.
    directory = open_run_directory(own, command)
    try:
        if is_unborn(own):
            return directory, None, Found(own, ("the run had written no checkpoint yet: it begins anew",))
        state, found = _read_newest(path)
        _check_digest(state, digest, found)
        if found.damaged is not None:
            # Or the next checkpoint would keep it as the one before.
            found.damaged.replace(found.damaged.with_suffix(".damaged"))
    except BaseException:
        directory.unlock()
        raise
    return directory, state, replace(found, notes=(*found.notes, *forget_later_best(directory, state)))


def _check_digest(state: RunState, digest: str, found: Found) -> None:
    if state.digest != digest:
        raise DataError(
            "the data is not what this run was trained on, so the run cannot go on as if nothing had happened",
            hint=f"start a new run from its weights: --weights {found.checkpoint}",
        )


def _another_folder(directory: RunDirectory, found: Found) -> RunDirectory:
    """A folder that is given the best epoch so far, too."""
    best = found.checkpoint.with_name("best.safetensors")
    if best.is_file():
        write_atomically(directory.best, best.read_bytes())
    return directory


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
        if checkpoint.name != "last.safetensors":
            raise
        for stem, words in (("previous", "the checkpoint before it"), ("best", "the best epoch")):
            other = checkpoint.with_name(f"{stem}.safetensors")
            with suppress(CheckpointError):
                note = f"{error.message}; going on from {words} instead"
                return read_checkpoint(other), Found(other, (note,), damaged=checkpoint)
        raise


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
