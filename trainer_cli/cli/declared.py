"""What a command takes, as words about each argument and option in; parameters by name out, for whoever reads a line.

Importing Typer takes 40 ms, and so do the adapters that it makes of options. So commands declare what they take with
the classes of this module: `plain` reads simple lines by them, and `app` makes Typer's own of them for help, errors and
all other lines.
"""

from __future__ import annotations

from typing import Any, NamedTuple


class Argument:
    """A value that stands by itself."""

    def __init__(self, metavar: str, help: str, show_default: bool = True) -> None:
        self.metavar = metavar
        self.help = help
        self.show_default = show_default


class Option:
    """A value behind a flag; of a command's parameters that are bool, the flag alone."""

    def __init__(self, *flags: str, help: str, metavar: str | None = None, min: int | None = None) -> None:
        self.flags = flags
        self.help = help
        self.metavar = metavar
        self.min = min


class Misuse(Exception):
    """Arguments contradict each other, or one is missing. Raised before a command does anything: it is run again."""

    def __init__(self, words: str, param_hint: str) -> None:
        super().__init__(words)
        self.words = words
        self.param_hint = param_hint


REQUIRED: Any = object()
"""The default of what has none."""


class Parameter(NamedTuple):
    """What one parameter of a command may be: its type, such as `Path | None`, and how it is written."""

    name: str
    type: Any
    declaration: Argument | Option
    default: Any
