"""Events of a run in; on the terminal, a metric table that grows by a row per epoch, and a bar for the epoch, out."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import IO, Self

from rich.progress import BarColumn, Progress, TaskID, TextColumn
from rich.table import Table
from rich.text import Text

from trainer_cli.reports import messages, text
from trainer_cli.reports.json_lines import write_json
from trainer_cli.reports.progress import is_terminal
from trainer_cli.reports.tables import console, fitting, growing_table
from trainer_cli.training.events import EpochDone, Event, Finished, PhaseStarted, SliceDone, Started

_REDRAW_SECONDS = 0.08


class LivePicture:
    """A metric table that grows by a row per epoch, and below it a bar for the epoch under way."""

    def __init__(self, stdout: IO[str], stderr: IO[str], *, as_json: bool) -> None:
        self._stdout = stdout
        self._as_json = as_json
        # Where both lead to the terminal, one console must draw rows and bar, or they overwrite each other.
        shared = not as_json and is_terminal(stdout)
        self._console = console(stdout if shared else stderr, force=True)
        self._rows = self._console if shared or as_json else console(stdout)
        self._columns: list[str] | None = None
        self._drawn = 0.0
        self._epochs = 0
        self._phases = 1
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=32),
            TextColumn("{task.fields[words]}"),
            console=self._console,
            auto_refresh=False,  # a drawing thread would take time from the workers; slices come often enough
            transient=True,
        )
        self._task: TaskID = self._bar.add_task("", total=None, visible=False, words="")

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.update(self._task, visible=False)
        self._bar.refresh()
        self._bar.stop()

    def say(self, line: str) -> None:
        self._console.print(Text(line), soft_wrap=True)

    def show(self, event: Event) -> None:
        for line in messages.warnings(event):
            self._console.print(Text(line, style="yellow"), soft_wrap=True)
        if isinstance(event, Started):
            self._phases = event.phases
        elif isinstance(event, SliceDone):
            self._advance(event)
        elif isinstance(event, EpochDone):
            self._add_row(event)
        elif isinstance(event, Finished):
            self._finish(event)
        for line in messages.lines(event):
            self.say(line)
        if isinstance(event, PhaseStarted):
            self._columns = None
            self._begin_epoch(event.first_epoch, event.epochs, event.steps_per_epoch)

    def _begin_epoch(self, epoch: int, epochs: int, steps: int) -> None:
        self._bar.update(
            self._task, description=f"epoch {epoch}/{epochs}", completed=0, total=steps, visible=True, words=""
        )
        self._bar.refresh()

    def _advance(self, event: SliceDone) -> None:
        now = time.monotonic()
        if now - self._drawn < _REDRAW_SECONDS and event.steps < event.steps_per_epoch:
            return
        self._drawn = now
        left = event.seconds / event.steps * (event.steps_per_epoch - event.steps) if event.steps else 0.0
        words = [f"{event.steps:,}/{event.steps_per_epoch:,} steps"]
        words += [f"{name} {text.number(value)}" for name, value in list(event.results.items())[:2]]
        if left >= 1.0:
            words.append(f"{text.duration(left)} left")
        self._bar.update(
            self._task,
            description=f"epoch {event.epoch}/{event.epochs}",
            completed=event.steps,
            total=event.steps_per_epoch,
            visible=True,
            words="  ".join(words),
        )
        self._bar.refresh()

    def _add_row(self, event: EpochDone) -> None:
        if self._as_json:
            write_json(event.report, self._stdout)
        else:
            columns = ["epoch", *text.measures(event.report), "learning_rate", "seconds", "best"]
            columns = fitting(columns, self._rows.width)
            if columns != self._columns:
                self._columns = columns
                self._rows.print(growing_table(columns, show_header=True))
            self._rows.print(self._row(columns, event))
        if event.epoch < event.epochs and not event.stopping:
            steps = self._bar.tasks[0].total
            self._begin_epoch(event.epoch + 1, event.epochs, int(steps or 0))
        else:
            self._bar.update(self._task, visible=False)
            self._bar.refresh()

    def _finish(self, event: Finished) -> None:
        if self._as_json:
            write_json(event.summary, self._stdout)
            return
        for line in messages.results(event.summary):
            self._rows.print(Text(line), soft_wrap=True)

    def _row(self, columns: Sequence[str], event: EpochDone) -> Table:
        table = growing_table(columns, show_header=False)
        shown = {"epoch": f"{event.epoch}/{event.epochs}", "best": "best" if event.improved else ""}
        cells = [shown[name] if name in shown else text.cell(event.report, name) for name in columns]
        table.add_row(*cells, style="bold" if event.improved else None)
        return table
