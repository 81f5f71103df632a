"""`trainer validate`: a config in, everything wrong with it out; nothing is trained and no compiler is started."""

from __future__ import annotations

from typing import Annotated

import typer

from trainer_cli.cli import check, groups, options


def command(
    *,
    file: groups.ConfigFile,
    data: Annotated[
        bool, typer.Option("--data", help="Also read the data: a missing or damaged file is then an error.")
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
    path = file.path
    raise typer.Exit(check.check(check.Request(path, file.given, data, strict, as_json, quiet)))
