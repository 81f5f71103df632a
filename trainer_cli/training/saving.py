"""The states of a run in; its checkpoints, the newest and the one before it, and the best epoch's, out."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from trainer_cli.errors import ResourceError
from trainer_cli.training.checkpoints import write_checkpoint
from trainer_cli.training.run_directory import RunDirectory
from trainer_cli.training.state import RunState


@contextmanager
def way_on_told(directory: RunDirectory) -> Iterator[None]:
    """Within the block a checkpoint is written; a ResourceError then tells how to go on from the one before."""
    try:
        yield
    except ResourceError as error:
        if directory.last.is_file():
            error.hint = f"the checkpoint before it is whole: free some disk space, then {directory.way_on}"
        raise


class Saving:
    """Writes the checkpoints of a run that differ from their files."""

    def __init__(self, directory: RunDirectory) -> None:
        self._directory = directory
        self._best: RunState | None = None
        self._written = float("-inf")

    def remember_best(self, state: RunState) -> None:
        """Write this as `best` when the next state is saved."""
        self._best = state

    def save(self, state: RunState) -> None:
        """Write `best`, then `last`, which tells of it; what was `last` is `previous` now. Raises ResourceError."""
        directory = self._directory
        with way_on_told(directory):
            if self._best is not None:
                write_checkpoint(directory.best, self._best)
                self._best = None
            write_checkpoint(directory.last, state, before=directory.previous)
        self._written = time.perf_counter()

    def overdue(self, seconds: float) -> bool:
        """Whether so many seconds have passed since the last write."""
        return time.perf_counter() - self._written > seconds
