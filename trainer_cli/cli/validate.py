"""`trainer validate`: a config in, everything wrong with it out; nothing is trained and no compiler is started."""

from __future__ import annotations

from typing import Annotated

import typer

from trainer_cli.cli import options


def command(
    config: options.ConfigArgument = None,
    config_option: options.ConfigOption = None,
    overrides: options.SetOption = None,
    data: Annotated[
        bool, typer.Option("--data", help="Also read the data: a missing or damaged file is then an error.")
    ] = False,
    strict: options.StrictOption = False,
    as_json: options.JsonOption = False,
    quiet: options.QuietOption = False,
) -> None:
    """Check a config without training: keys, values, shapes, loss and output, monitored names.

    For metrics on data use `trainer evaluate`.
    """
    path = options.chosen(config, config_option)

    from trainer_cli.training.validate import validate

    found = validate(path, overrides or (), read_data=data, strict=strict)
    if as_json:
        from trainer_cli.reports.json_lines import validation, write_json

        write_json(validation(found.ok, found.problems, found.warnings, found.notes))
    else:
        if found.problems:
            from trainer_cli.config.messages import render

            options.say([render(found.problems)])
        options.warn(found.warnings)
        if found.ok:
            options.say(found.notes, quiet=quiet)
            if not quiet:
                print(f"{path}: ok")
    raise typer.Exit(found.exit_code)
