"""What can go wrong for a user: every expected failure, with where it happened, a hint and its exit code."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple


class Place(NamedTuple):
    """A place in a text file: its path as the user wrote it, line and column counted from 1, and the line itself.

    Line 0 says that the place is no file: `file` then shows what the user typed, such as `--set seed=x`.
    """

    file: str
    line: int
    column: int
    text: str = ""

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}" if self.line else self.file


class Problem(NamedTuple):
    """One thing wrong with a config: what was read, what was expected, and how to mend it.

    `path` is the position inside the config, e.g. `("architecture", 2, "units")`; `place` is added by the config
    loader, which alone knows lines and columns.
    """

    message: str
    path: tuple[str | int, ...] = ()
    hint: str | None = None
    place: Place | None = None

    def at(self, place: Place | None) -> Problem:
        return self._replace(place=place)

    def under(self, *prefix: str | int) -> Problem:
        return self._replace(path=(*prefix, *self.path))


class TrainerError(Exception):
    """Base of every failure that is the user's to mend; `exit_code` is the process's."""

    exit_code = 1

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class ConfigError(TrainerError):
    """The config cannot be used. Carries all problems found, not only the first."""

    exit_code = 2

    def __init__(self, problems: Sequence[Problem] | str, *, hint: str | None = None) -> None:
        if isinstance(problems, str):
            problems = [Problem(problems, hint=hint)]
        self.problems = list(problems)
        super().__init__("\n".join(problem.message for problem in self.problems), hint=hint)


class DataError(TrainerError):
    """The data cannot be used; the message names file, row and column."""

    exit_code = 3


class DivergenceError(TrainerError):
    """A NaN or an infinity appeared; the message names epoch, step and layer."""

    exit_code = 4


class GateError(TrainerError):
    """A condition given with `--fail-if` holds."""

    exit_code = 5


class ResourceError(TrainerError):
    """The machine lacks something: an extra, a GPU, disk space, a writable folder. The hint is the command to run."""

    exit_code = 6


class Interrupted(TrainerError):
    """A signal stopped the run after a checkpoint was written; the exit code is 128 + the signal's number."""

    def __init__(self, signal_number: int, message: str, *, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.exit_code = 128 + signal_number
