"""`trainer explain`: the name of a part in; its arguments, formula and source out."""

from __future__ import annotations

from typing import Annotated

from trainer_cli.cli import options
from trainer_cli.cli.declared import Argument, Option


def command(
    name: Annotated[
        str,
        Argument(
            metavar="NAME",
            help="A part's name or alias: adam, dense, mse, leakyReLU, csv, …; "
            "or a section of a config: fit, early_stopping, reduce_lr_on_plateau, checkpoint, phases, architecture, "
            "config.",
        ),
    ],
    family: Annotated[
        str | None, Option("--family", metavar="FAMILY", help="Look among these alone: layers, losses, …")
    ] = None,
    as_json: options.JsonOption = False,
) -> None:
    """Explain a layer, optimizer, loss, metric or any other part: arguments, defaults, formula and source.

    A name that stands in several families shows all of them; --family picks one.

    \b
    Example:
      trainer explain adam
    """
    from trainer_cli.parts.families import FAMILIES
    from trainer_cli.reports import explanation, vocabulary

    found = vocabulary.entries(name, [vocabulary.family_called(family)] if family is not None else FAMILIES)
    if as_json:
        from trainer_cli.reports.json_lines import write_json

        write_json([explanation.entry_record(entry) for entry in found])
        return
    for position, entry in enumerate(found):
        if position:
            print("\n")
        print(*explanation.entry_text(entry), sep="\n")
