"""A run directory or checkpoint in; the state to go on from, and what is different from then, out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from trainer_cli.errors import DataError
from trainer_cli.training.checkpoints import CheckpointError, find_checkpoint, read_checkpoint
from trainer_cli.training.events import Resumed
from trainer_cli.training.phases import changed_keys
from trainer_cli.training.run_directory import RunDirectory, create_run_directory, latest_run, open_run_directory
from trainer_cli.training.state import Patience, RunState


def open_resumed(
    resume: Path | bool, name: str, config: Mapping[str, Any], digest: str, run_directory: Path | None
) -> tuple[RunDirectory, RunState, Resumed]:
    """The folder, the state and the story of a run to go on with. Raises ConfigError, CheckpointError or DataError."""
    path = latest_run(name) if isinstance(resume, bool) else resume
    state, checkpoint, notes = _read_newest(path)
    if state.digest != digest:
        raise DataError(
            "the data is not what this run was trained on, so the run cannot go on as if nothing had happened",
            hint=f"start a new run from its weights: --weights {checkpoint}",
        )
    if run_directory is not None and run_directory.absolute() != path.absolute():
        directory = create_run_directory(name, run_directory)
    elif path.is_dir():
        directory = open_run_directory(path)
    elif checkpoint.parent.name == "checkpoints":
        directory = open_run_directory(checkpoint.parents[1])
    else:
        directory = create_run_directory(name)
    counters = state.counters
    resumed = Resumed(
        checkpoint=checkpoint,
        phase=counters.phase + 1,
        epoch=counters.epoch,
        step=counters.step,
        changed=tuple(changed_keys(state.config, config)),
        notes=tuple(notes),
    )
    return directory, state, resumed


def _read_newest(path: Path) -> tuple[RunState, Path, list[str]]:
    checkpoint = find_checkpoint(path, prefer="last")
    try:
        return read_checkpoint(checkpoint), checkpoint, []
    except CheckpointError as error:
        best = checkpoint.with_name("best.safetensors")
        if checkpoint.name != "last.safetensors" or not best.is_file():
            raise
        try:
            state = read_checkpoint(best)
        except CheckpointError:
            raise error from None
        return state, best, [f"{error.message}; going on from the best epoch instead"]


def reopen(state: RunState, epochs: Sequence[int]) -> None:
    """If the run is finished but its last phase may now train for longer, go back into that phase."""
    if state.counters.phase < len(epochs):
        return
    last = len(epochs) - 1
    done = sum(1 for line in state.history if line["phase"] == last + 1)
    if done < epochs[last]:
        state.counters.phase = last
        state.counters.epoch = done
        state.test = {}
        if state.patience.restored:
            state.kept_weights = dict(state.weights)
        state.patience = Patience(best=state.patience.best, best_epoch=state.patience.best_epoch)
