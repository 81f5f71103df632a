"""Events of a run in; on the terminal, a metric table that grows by a row per epoch, and a bar for the epoch, out.

Beside the bar stand the loss so far and its curve over the epochs, the speed, and the time that is left.
"""

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
from trainer_cli.reports.sparkline import sparkline
from trainer_cli.reports.tables import console, fitting, growing_table
from trainer_cli.training.events import EpochDone, Event, Finished, PhaseStarted, SliceDone, Started

_REDRAW_SECONDS = 0.08
_BAR_WIDTH = 24
_CURVE_WIDTH = 16


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
        self._phases = 1
        self._losses: list[float | None] = []
        self._epoch_seconds: list[float] = []  # of this phase, validation included
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=_BAR_WIDTH),
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
            self._losses, self._epoch_seconds = [], []
            self._begin_epoch(event.first_epoch, event.epochs, event.steps_per_epoch)

    def _begin_epoch(self, epoch: int, epochs: int, steps: int) -> None:
        left = self._seconds_of_epochs(epochs - epoch + 1)
        self._draw(epoch, epochs, 0, steps, [(3, self._curve()), (1, self._left(left))])

    def _advance(self, event: SliceDone) -> None:
        now = time.monotonic()
        if now - self._drawn < _REDRAW_SECONDS and event.steps < event.steps_per_epoch:
            return
        self._drawn = now
        first, *others = [f"{name} {text.number(value)}" for name, value in event.results.items()][:2] or [""]
        rate = event.steps / event.seconds if event.seconds > 0 else 0.0
        left = (event.steps_per_epoch - event.steps) / rate if rate else 0.0
        left += self._seconds_of_epochs(event.epochs - event.epoch, event.seconds + left)
        words = [
            (0, f"{event.steps:,}/{event.steps_per_epoch:,} steps"),
            (4, f"{text.number(float(rate))} steps/s" if rate else ""),
            (1, first),
            (5, others[0] if others else ""),
            (3, self._curve()),
            (2, self._left(left)),
        ]
        self._draw(event.epoch, event.epochs, event.steps, event.steps_per_epoch, words)

    def _draw(self, epoch: int, epochs: int, steps: int, of: int, words: Sequence[tuple[int, str]]) -> None:
        """The bar, and as many of the words as the line holds: those with small numbers stay longest."""
        description = f"epoch {epoch}/{epochs}"
        room = self._console.width - len(description) - _BAR_WIDTH - 4
        kept = [pair for pair in words if pair[1]]
        while kept and sum(len(each) + 2 for _, each in kept) > room:
            kept.remove(max(kept))
        self._bar.update(
            self._task,
            description=description,
            completed=steps,
            total=of,
            visible=True,
            words="  ".join(each for _, each in kept),
        )
        self._bar.refresh()

    def _curve(self) -> str:
        """The losses of the phase's epochs so far, once there is something to see."""
        return sparkline(self._losses[-_CURVE_WIDTH * 4 :], _CURVE_WIDTH) if len(self._losses) > 1 else ""

    def _seconds_of_epochs(self, count: int, one: float = 0.0) -> float:
        """How long so many epochs will take, by those before, or by what is known of the first."""
        known = self._epoch_seconds[-5:]
        return count * (sum(known) / len(known) if known else one)

    def _left(self, seconds: float) -> str:
        """The time that the phase will still take, if it is worth waiting for; early stopping may end it sooner."""
        where = " in the phase" if self._phases > 1 else ""
        return f"{text.duration(seconds)} left{where}" if seconds >= 1.0 else ""

    def _add_row(self, event: EpochDone) -> None:
        loss, seconds = event.report.get("loss"), event.report.get("seconds")
        self._losses.append(None if loss is None else float(loss))
        self._epoch_seconds.append(float(seconds or 0.0))
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
