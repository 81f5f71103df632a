"""The files and the state of a run in; how far it is, its summary, and its end out."""

from __future__ import annotations

import time
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from trainer_cli.errors import TrainerError
from trainer_cli.training.options import FitOptions
from trainer_cli.training.run_directory import RunDirectory
from trainer_cli.training.saving import Saving
from trainer_cli.training.state import RunState
from trainer_cli.training.summary import summarise


@dataclass
class RunUnderWay:
    """A run between its beginning and its end: what its phases share."""

    name: str
    directory: RunDirectory
    state: RunState
    saving: Saving
    began: float  # when this call began, by `time.perf_counter`
    earlier_seconds: float  # of the calls before this one
    earlier_steps: int
    options: FitOptions
    cut: bool = False  # the limit of steps ended the run within an epoch

    def steps_left(self) -> int | None:
        """Updates that the limit still allows, None without a limit."""
        limit = self.options.limit_steps
        return None if limit is None else limit - (self.state.counters.step - self.earlier_steps)

    def write_summary(self, reason: str) -> dict[str, Any]:
        total = self.earlier_seconds + time.perf_counter() - self.began
        summary = summarise(self.name, self.state, reason, total)
        self.directory.write_summary(summary)
        return summary

    def leave(self, reason: str) -> None:
        """Save what is good; the failure itself is what the user must see."""
        with suppress(TrainerError):
            self.saving.save(self.state)
            self.write_summary(reason)
