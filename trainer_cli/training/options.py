"""The command line's flags in; what they add to the config of a training out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from trainer_cli.training.preparation import PhasePlan


@dataclass(frozen=True)
class FitOptions:
    """What the command line adds to a config."""

    run_directory: Path | None = None
    target: str = "cpu"
    threads: int | None = None
    weights: Path | None = None
    resume: Path | bool = False  # a run directory, a checkpoint, or True for the config's latest run
    extend_epochs: int = 0  # train the last phase for so many epochs more than the config says
    limit_steps: int | None = None  # end after so many updates of this call, and be resumable at that very step
    agree: Callable[[Sequence[PhasePlan]], None] | None = None  # may refuse the plans before anything is written
    command: tuple[str, ...] = ()
    checkpoint_seconds: float = 1.0  # at most one write of checkpoints in so many seconds at the ends of epochs
    checkpoint_seconds_within_epoch: float = 300.0
