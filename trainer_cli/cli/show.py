"""`trainer show`: a run or a checkpoint in; what is inside out."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from trainer_cli.cli import options
from trainer_cli.cli.declared import Argument, Option

PathArgument = Annotated[
    Path,
    Argument(metavar="RUN|CHECKPOINT", help="A run directory, a checkpoint, or any safetensors file."),
]


def command(
    path: PathArgument,
    tensors: Annotated[bool, Option("--tensors", help="List all tensors: optimizer state and counters too.")] = False,
    as_json: options.JsonOption = False,
) -> None:
    """Show what a run or checkpoint holds: network, epoch, metrics, classes, and tensors with their shapes.

    Of a run directory the checkpoint of the best epoch is shown; name checkpoints/last.safetensors for the last.
    Nothing in the file is executed, and the tensors are not read.

    \b
    Example:
      trainer show runs/iris/20260102T030405Z
    """
    from trainer_cli.training.contents import contents

    found = contents(path)
    if as_json:
        from trainer_cli.reports.contents import record
        from trainer_cli.reports.json_lines import write_json

        write_json(record(found))
    else:
        from trainer_cli.reports.contents import print_contents

        print_contents(found, all_tensors=tensors)
