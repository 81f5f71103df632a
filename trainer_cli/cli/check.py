"""The arguments of `trainer validate` in; the config checked, the outcome told, and the exit code out.

Importing Typer takes as long as a check does. So `plain` reads the simple forms of the arguments by itself, and leaves
help, errors and all else to the Typer command in `validate`, which does the same work.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

SWITCHES = {"--data": "data", "--strict": "strict", "--json": "as_json", "--quiet": "quiet", "-q": "quiet"}


class Request(NamedTuple):
    """What is to be checked, and how the outcome is told."""

    path: Path
    overrides: tuple[str, ...] = ()
    data: bool = False
    strict: bool = False
    as_json: bool = False
    quiet: bool = False


def plain(arguments: Sequence[str]) -> Request | None:
    """The request of `validate CONFIG` with switches and `--set PATH=VALUE` behind it, None for anything else."""
    if len(arguments) < 2 or arguments[0] != "validate" or not _is_value(arguments[1]):
        return None
    switches = set()
    overrides = []
    rest = iter(arguments[2:])
    for argument in rest:
        value = next(rest, "") if argument == "--set" else None
        if value is not None and _is_value(value):
            overrides.append(value)
        elif argument in SWITCHES:
            switches.add(SWITCHES[argument])
        else:
            return None
    return Request(Path(arguments[1]), tuple(overrides), **dict.fromkeys(switches, True))


def _is_value(argument: str) -> bool:
    return bool(argument) and not argument.startswith("-")


def check(request: Request) -> int:
    """Check the config and tell what was found."""
    from trainer_cli.training.validate import validate

    found = validate(request.path, request.overrides, read_data=request.data, strict=request.strict)
    if request.as_json:
        from trainer_cli.reports.json_lines import validation, write_json

        write_json(validation(found.ok, found.problems, found.warnings, found.notes))
        return found.exit_code
    if found.problems:
        from trainer_cli.config.messages import render

        print(render(found.problems), file=sys.stderr, flush=True)
    if found.warnings:
        from trainer_cli.reports.text import warning

        print("\n".join(map(warning, found.warnings)), file=sys.stderr, flush=True)
    if found.ok and not request.quiet:
        for note in found.notes:
            print(note, file=sys.stderr, flush=True)
        print(f"{request.path}: ok")
    return found.exit_code
