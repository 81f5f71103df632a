"""`trainer init`: a table and the column to predict in; a commented config that can be fitted as it is out."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Annotated

import typer

from trainer_cli.cli import options


def command(
    data: Annotated[Path, typer.Argument(metavar="DATA", help="A CSV or TSV file with a header; .gz too.")],
    target: Annotated[str, typer.Option("--target", metavar="COLUMN", help="The column to predict.")],
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="FILE", help="The config to write [default: DATA's .yaml].")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace the config if there is one.")] = False,
    no_schema: Annotated[
        bool, typer.Option("--no-schema", help="Write no config.schema.json for the editor beside it.")
    ] = False,
    quiet: options.QuietOption = False,
) -> None:
    """Look at the columns of a table and write a config that predicts one of them.

    Numbers are standardized, texts of a few kinds become categories, gaps are filled; columns that tell nothing are
    left out, and a comment says why. The config is checked against the data before the command ends.

    \b
    Example:
      trainer init prices.csv --target price
    """
    from trainer_cli.config.draft import draft
    from trainer_cli.data.survey import survey
    from trainer_cli.errors import ConfigError
    from trainer_cli.training.checkpoints import write_atomically
    from trainer_cli.training.validate import validate

    stem = re.sub(r"\.(csv|tsv|tab|txt)?(\.gz)?$", "", data.name) or "model"
    path = output or Path(f"{stem}.yaml")
    if path.exists() and not force:
        raise ConfigError(f"{path} is there already", hint="--force replaces it, --output names another file")
    schema = None if no_schema else "config.schema.json"
    relative = os.path.relpath(data.absolute(), path.absolute().parent)
    name = re.sub(r"[^A-Za-z0-9_-]+", "-", stem).strip("-") or "model"
    text = draft(survey(data), target, name=name, path=relative, schema=schema)
    write_atomically(path, text.encode())
    if schema is not None and not (beside := path.with_name(schema)).exists():
        from trainer_cli.config.json_schema import json_schema

        write_atomically(beside, (json.dumps(json_schema(), indent=2, ensure_ascii=False) + "\n").encode())
    found = validate(path, read_data=True)
    if found.problems:
        raise ConfigError(found.problems)
    options.say([f"wrote {path}", f"next: trainer fit {path}"], quiet=quiet)
