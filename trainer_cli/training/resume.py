"""A run directory or checkpoint in; the state to go on from, and what is different from then, out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from trainer_cli.config.schema import EarlyStopping
from trainer_cli.errors import DataError
from trainer_cli.training import origin
from trainer_cli.training.checkpoints import STEMS, CheckpointError, find_checkpoint, read_checkpoint, write_atomically
from trainer_cli.training.events import Resumed
from trainer_cli.training.numbered import forget_later_best
from trainer_cli.training.phases import changed_keys
from trainer_cli.training.run_directory import (
    RunDirectory,
    create_run_directory,
    latest_run,
    open_run_directory,
)
from trainer_cli.training.state import RunState


@dataclass(frozen=True)
class Found:
    """The checkpoint that a run goes on from, and what had to be done to get it."""

    checkpoint: Path
    notes: tuple[str, ...] = ()
    weights: Path | None = None  # what a run that had written no checkpoint was to begin with
    damaged: Path | None = None  # a newer one that cannot be read


def open_resumed(
    resume: Path | bool, name: str, run_directory: Path | None, manifest: Mapping[str, Any], command: Sequence[str] = ()
) -> tuple[RunDirectory, RunState | None, Found]:
    """The folder and the state of a run to go on with; no state if the run has not written any yet.

    `manifest` tells how it goes on; its digest is that of the data now.

    Raises ConfigError, CheckpointError, DataError, or ResourceError if another process writes to the run.
    """
    digest = manifest["data_digest"]
    path = latest_run(name) if isinstance(resume, bool) else resume
    own = path if path.is_dir() else path.parents[1] if path.parent.name == "checkpoints" else None
    state: RunState | None
    if own is None or (run_directory is not None and run_directory.absolute() != own.absolute()):
        state, found = _read_newest(path)
        _check_digest(state, digest, found)
        began = {**manifest, origin.KEY: origin.record(origin.Origin("checkpoint", found.checkpoint))}
        directory = create_run_directory(name, run_directory, began, command=command)
        _take_best(directory, found)
        return directory, state, found
    # Nobody may write to the run while it is read, or this would go on from what is past.
    directory = open_run_directory(own, command)
    try:
        state, found = _read_origin(directory) if _is_unborn(directory) else _read_newest(path)
        if state is not None:
            _check_digest(state, digest, found)
        if found.damaged is not None:
            # Or the next checkpoint would keep it as the one before.
            found.damaged.replace(found.damaged.with_suffix(".damaged"))
        directory.write_manifest(manifest)
    except BaseException:
        directory.unlock()
        raise
    if state is None:
        return directory, None, found
    return directory, state, replace(found, notes=(*found.notes, *forget_later_best(directory, state)))


def _is_unborn(directory: RunDirectory) -> bool:
    """Whether a run was ended before it wrote a checkpoint; one that goes on from another may have that one's best."""
    made = {stem for stem in STEMS if (directory.last.parent / f"{stem}.safetensors").exists()}
    return not made or (made == {"best"} and "checkpoint" in ((directory.manifest or {}).get(origin.KEY) or {}))


def _read_origin(directory: RunDirectory) -> tuple[RunState | None, Found]:
    """What a run that has written no checkpoint yet was to begin with."""
    began = origin.recorded(directory.manifest or {})
    note = "the run had written no checkpoint yet: it begins anew"
    if began is None:
        return None, Found(directory.path, (note,))
    if began.kind == "weights":
        return None, Found(directory.path, (f"{note}, with the weights of {began.path}",), weights=began.path)
    found = Found(began.path, (f"the run had written no checkpoint of its own yet: it goes on from {began.path}",))
    _take_best(directory, found)
    return read_checkpoint(began.path), found


def _check_digest(state: RunState, digest: str, found: Found) -> None:
    if state.digest != digest:
        raise DataError(
            "the data is not what this run was trained on, so the run cannot go on as if nothing had happened",
            hint=f"start a new run from its weights: --weights {found.checkpoint}",
        )


def _take_best(directory: RunDirectory, found: Found) -> None:
    """Give another folder the best epoch so far, too."""
    best = found.checkpoint.with_name("best.safetensors")
    if best.is_file():
        write_atomically(directory.best, best.read_bytes())


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
