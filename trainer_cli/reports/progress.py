"""Events of a run in, its picture out: a table and a bar on a terminal, plain lines elsewhere, or JSON lines.

stdout gets the epochs' numbers, stderr the messages and the bar. Rich is imported by the terminal's picture alone.
"""

from __future__ import annotations

import os
import sys
from contextlib import AbstractContextManager
from typing import IO, Literal, Protocol, Self, TypeAlias

from trainer_cli.reports import messages, text
from trainer_cli.reports.json_lines import write_json
from trainer_cli.training.events import EpochDone, Event, Finished

ProgressMode: TypeAlias = Literal["auto", "plain", "rich", "none"]


class Picture(AbstractContextManager["Picture"], Protocol):
    """Shows the events of a run, one after the other; leaving it tidies the terminal up."""

    def show(self, event: Event) -> None: ...

    def say(self, line: str) -> None:
        """Put a message on stderr, without tearing a bar apart."""


def is_terminal(stream: IO[str]) -> bool:
    """Whether a stream leads to a terminal that can redraw lines; logs of continuous integration cannot."""
    return stream.isatty() and not os.environ.get("CI") and os.environ.get("TERM") not in ("dumb", "unknown")


def choose(
    mode: ProgressMode,
    *,
    as_json: bool = False,
    quiet: bool = False,
    stdout: IO[str] | None = None,
    stderr: IO[str] | None = None,
) -> Picture:
    """The picture that suits the terminal and the flags.

    `auto` is `rich` if stderr, and stdout where it carries the table, are terminals, and `plain` otherwise.
    """
    stdout = stdout or sys.stdout
    stderr = stderr or sys.stderr
    if mode == "auto":
        drawable = is_terminal(stderr) and (as_json or is_terminal(stdout))
        mode = "rich" if drawable else "none" if as_json else "plain"
    if quiet:
        mode = "none"
    if mode == "rich":
        from trainer_cli.reports.live import LivePicture

        return LivePicture(stdout, stderr, as_json=as_json)
    return PlainPicture(stdout, stderr, as_json=as_json, epochs=mode == "plain", quiet=quiet)


class PlainPicture:
    """One line per epoch: for logs, pipes and dumb terminals. With `as_json` the lines of stdout are JSON objects."""

    def __init__(self, stdout: IO[str], stderr: IO[str], *, as_json: bool, epochs: bool, quiet: bool) -> None:
        self._stdout = stdout
        self._stderr = stderr
        self._as_json = as_json
        self._epochs = epochs
        self._quiet = quiet

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        return None

    def say(self, line: str) -> None:
        if not self._quiet:
            print(line, file=self._stderr, flush=True)

    def show(self, event: Event) -> None:
        for line in messages.warnings(event):
            print(line, file=self._stderr, flush=True)
        if isinstance(event, EpochDone):
            if self._as_json:
                write_json(event.report, self._stdout)
            if self._epochs:
                stream = self._stderr if self._as_json else self._stdout
                print(text.epoch_line(event.report, event.epochs, event.improved), file=stream, flush=True)
        elif isinstance(event, Finished):
            if self._as_json:
                write_json(event.summary, self._stdout)
            else:
                print(*messages.results(event.summary), sep="\n", file=self._stdout, flush=True)
        for line in messages.lines(event):
            self.say(line)
