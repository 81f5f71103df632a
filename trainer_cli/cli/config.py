"""`trainer config`: a config in; its full form with where every value came from out."""

from __future__ import annotations

from typing import Annotated

from trainer_cli.cli import groups, options
from trainer_cli.cli.declared import Option


def command(
    *,
    file: groups.ConfigFile,
    only_given: Annotated[bool, Option("--given", help="Leave the defaults out.")] = False,
    as_json: options.JsonOption = False,
) -> None:
    """Show a config as it is meant: defaults, overrides and references filled in, each value with its origin.

    A comment behind each value says where it came from: FILE:LINE, --set PATH=VALUE, the ${reference} that it stands
    for, or default. The output is a config itself. `trainer validate` checks more: shapes, loss and output.

    \b
    Example:
      trainer config configs/iris.yaml --set fit.epochs=5
    """
    path = file.path

    from trainer_cli.config.load import load
    from trainer_cli.config.origins import origins
    from trainer_cli.reports import annotated

    given = file.given
    loaded = load(path, given)
    values = list(origins(loaded, given))
    if only_given:
        values = list(annotated.given(values))
    if as_json:
        from trainer_cli.reports.json_lines import write_json

        write_json(annotated.configuration(loaded.dump(), values))
    else:
        print(*annotated.annotated(values), sep="\n")
