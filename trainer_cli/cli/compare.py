"""`trainer compare`: several runs in; the settings in which they differ, their measures and their curves out."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from trainer_cli.cli import options
from trainer_cli.cli.declared import Argument, Misuse


def command(
    runs: Annotated[
        list[Path],
        Argument(metavar="RUN RUN…", help="Run directories; a config stands for its newest run."),
    ],
    as_json: options.JsonOption = False,
) -> None:
    """Compare runs: the settings that differ, the measures of their best and last epochs, and their curves.

    Runs that are under way can be compared too. All curves of a measure have one scale; the best value of a row is
    marked with a star.

    \b
    Example:
      trainer compare runs/digits/*
    """
    if len(runs) < 2:
        raise Misuse("give two runs or more", param_hint="RUN")

    from trainer_cli.training.runs import read_run

    found = [read_run(options.choose_model(run, None, None, None).load()[0]) for run in runs]
    if as_json:
        from trainer_cli.reports.comparison import record
        from trainer_cli.reports.json_lines import write_json

        write_json(record(found))
    else:
        from trainer_cli.reports.comparison import print_comparison

        print_comparison(found)
