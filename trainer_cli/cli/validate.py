"""`trainer validate`: a config in, everything wrong with it out; nothing is trained and no compiler is started."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

from trainer_cli.cli import groups, options
from trainer_cli.cli.declared import Option


def command(
    *,
    file: groups.ConfigFile,
    data: Annotated[
        bool, Option("--data", help="Also read the data: a missing or damaged file is then an error.")
    ] = False,
    strict: options.StrictOption = False,
    as_json: options.JsonOption = False,
    quiet: options.QuietOption = False,
) -> None:
    """Check a config without training: keys, values, shapes, loss and output, monitored names.

    For metrics on data use `trainer evaluate`.

    \b
    Example:
      trainer validate config.yaml --data --set fit.batch_size=64
    """
    raise SystemExit(check(file.path, file.given, data=data, strict=strict, as_json=as_json, quiet=quiet))


def check(
    path: Path,
    overrides: Sequence[str] = (),
    *,
    data: bool = False,
    strict: bool = False,
    as_json: bool = False,
    quiet: bool = False,
) -> int:
    """Check the config and tell what was found; the exit code."""
    from trainer_cli.training.validate import validate

    found = validate(path, overrides, read_data=data, strict=strict)
    if as_json:
        from trainer_cli.reports.json_lines import validation, write_json

        write_json(validation(found.ok, found.problems, found.warnings, found.notes))
        return found.exit_code
    if found.problems:
        from trainer_cli.config.messages import render

        print(render(found.problems), file=sys.stderr, flush=True)
    if found.warnings:
        options.warn(found.warnings)
    if found.ok and not quiet:
        options.say(found.notes)
        print(f"{path}: ok")
    return found.exit_code
