"""A run's state at the end of an epoch in; the numbered checkpoints that the config asks for out."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Protocol

from trainer_cli.training.checkpoints import CheckpointError, read_checkpoint, write_checkpoint
from trainer_cli.training.run_directory import RunDirectory
from trainer_cli.training.saving import way_on_told
from trainer_cli.training.state import Best, RunState

_NAME = r"epoch-(\d+)\.safetensors"


class NumberedSettings(Protocol):
    """`fit.checkpoint` of a config, as far as it is about numbered checkpoints."""

    @property
    def every_epochs(self) -> int | None: ...
    @property
    def keep(self) -> int | None: ...


def keep_numbered(directory: RunDirectory, state: RunState, settings: NumberedSettings) -> None:
    """Write `epoch-<n>.safetensors` if epoch n, counted over all phases, is one to keep; remove the oldest over `keep`.

    Files of later epochs, from before the run was resumed here, are left alone until their epoch comes again.
    """
    number = len(state.history)
    if settings.every_epochs is None or number % settings.every_epochs != 0:
        return
    folder = directory.last.parent
    with way_on_told(directory):
        write_checkpoint(folder / f"epoch-{number:04d}.safetensors", state)
    if settings.keep is not None:
        earlier = sorted((found, path) for found, path in _numbered(folder) if found <= number)
        for _, path in earlier[: -settings.keep]:
            with suppress(OSError):
                path.unlink()


def _numbered(folder: Path) -> Iterator[tuple[int, Path]]:
    for path in folder.iterdir():
        match = re.fullmatch(_NAME, path.name)
        if match:
            yield int(match.group(1)), path


def forget_later_best(directory: RunDirectory, state: RunState) -> list[str]:
    """Begin the search for the best epoch anew if `best` is of an epoch after the one that the run goes on from.

    Then the file is of a future that will not be; the epoch that was best before it is overwritten. What was done is
    returned in words.
    """
    try:
        later = len(read_checkpoint(directory.best).history) > len(state.history)
    except CheckpointError:
        return []
    if not later:
        return []
    state.best = Best(monitor=state.best.monitor, mode=state.best.mode, loss=state.best.loss)
    return ["best.safetensors is of a later epoch: the search for the best one begins anew"]
