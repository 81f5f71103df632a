"""`trainer list`: the name of a family of parts in; its parts with a line on each out."""

from __future__ import annotations

from typing import Annotated

from trainer_cli.cli import options
from trainer_cli.cli.declared import Argument

FamilyArgument = Annotated[
    str | None,
    Argument(
        metavar="FAMILY",
        show_default=False,
        help="layers, activations, optimizers, losses, metrics, initializers, regularizers, constraints, schedules or "
        "sources; without it, the families are listed.",
    ),
]


def command(family: FamilyArgument = None, as_json: options.JsonOption = False) -> None:
    """List what a config can name: the layers, optimizers, losses, … that there are.

    Prints the name of each part and what goes in and out of it; `trainer explain NAME` tells all about one.

    \b
    Example:
      trainer list optimizers
    """
    from trainer_cli.reports import explanation, vocabulary

    if family is None:
        from trainer_cli.parts.families import FAMILIES

        if as_json:
            from trainer_cli.reports.json_lines import write_json

            write_json({vocabulary.plural(each): each.names() for each in FAMILIES})
        else:
            print(*explanation.families_text(), sep="\n")
        return
    found = vocabulary.family_called(family)
    if as_json:
        from trainer_cli.reports.json_lines import write_json

        write_json(explanation.family_record(found))
        return
    for line in explanation.family_text(found):
        print(line)
    if not found.names():
        options.say([f"there are no {vocabulary.plural(found)} yet"])
