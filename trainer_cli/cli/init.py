"""`trainer init`: data, or the name of a template, in; a commented config that can be fitted as it is out."""

from __future__ import annotations

import json
import os
import re
from enum import StrEnum
from pathlib import Path
from typing import Annotated

from trainer_cli.cli import options
from trainer_cli.cli.declared import Argument, Misuse, Option


class Template(StrEnum):
    """What a config without data may be for, and what rows of data can be taken for."""

    TABULAR = "tabular"
    IMAGE = "image"
    SEQUENCE = "sequence"
    TEXT = "text"
    GRAPH = "graph"


def command(
    data: Annotated[
        Path | None,
        Argument(
            metavar="DATA",
            show_default=False,
            help="A CSV or TSV file with a header, Parquet, Arrow, JSON lines, arrays as .npz or .npy, IDX files, a "
            "running text, each also as .gz where the format has it; or a folder of images.",
        ),
    ] = None,
    target: Annotated[
        str | None,
        Option("--target", metavar="COLUMN", help="What to predict: a column, a key of JSON lines, an array, a file."),
    ] = None,
    template: Annotated[
        Template | None,
        Option("--template", help="A config for data of this kind; with DATA: what its arrays are taken for."),
    ] = None,
    output: Annotated[
        Path | None, Option("--output", "-o", metavar="FILE", help="The config to write [default: DATA's .yaml].")
    ] = None,
    force: Annotated[bool, Option("--force", help="Replace the config if there is one.")] = False,
    no_schema: Annotated[
        bool, Option("--no-schema", help="Write no config.schema.json for the editor beside it.")
    ] = False,
    quiet: options.QuietOption = False,
) -> None:
    """Write a config: for the data given, or without any as a template.

    The columns of a table, the shapes of arrays, the sizes and classes of images, the lengths of lists and the letters
    of a text are looked at; comments say what was found. The config is checked against the data before the command
    ends.

    \b
    Example:
      trainer init prices.csv --target price
      trainer init flowers/
      trainer init --template image
    """
    if data is None and template is None:
        raise Misuse("give DATA, or --template", param_hint="DATA")
    if data is None and target is not None:
        raise Misuse("a template has a target of its own", param_hint="--target")

    from trainer_cli.errors import ConfigError
    from trainer_cli.training.checkpoints import write_atomically
    from trainer_cli.training.validate import validate

    stem = str(template) if data is None else _stem(data)
    path = output or Path(f"{stem}.yaml")
    if path.exists() and not force:
        raise ConfigError(f"{path} is there already", hint="--force replaces it, --output names another file")
    schema = None if no_schema else "config.schema.json"
    name = re.sub(r"[^A-Za-z0-9_-]+", "-", stem).strip("-") or "model"
    if data is None:
        from trainer_cli.config.templates import template as named_template

        text = named_template(str(template), name=name, schema=schema)
    else:
        text = _drafted(data, target, template, path, name, schema)
    write_atomically(path, text.encode())
    if schema is not None and not (beside := path.with_name(schema)).exists():
        from trainer_cli.config.json_schema import json_schema

        write_atomically(beside, (json.dumps(json_schema(), indent=2, ensure_ascii=False) + "\n").encode())
    found = validate(path, read_data=data is not None)
    if found.problems:
        raise ConfigError(found.problems)
    follow = f"fit {path}" if data is not None else f"validate {path} --data, when it names your data"
    options.say([f"wrote {path}", f"next: trainer {follow}"], quiet=quiet)


def _drafted(
    data: Path, target: str | None, template: Template | None, path: Path, name: str, schema: str | None
) -> str:
    """The config for some data, whose paths are relative to the config's folder."""
    from trainer_cli.config.draft import draft
    from trainer_cli.config.draft_rows import draft_rows
    from trainer_cli.data.recognition import outline_of, recognised
    from trainer_cli.data.survey import survey
    from trainer_cli.errors import ConfigError

    def named(file: Path) -> str:
        return os.path.relpath(file.absolute(), path.absolute().parent)

    kind = recognised(data, target)
    if kind != "table":
        wished = None if template is None else str(template)
        return draft_rows(outline_of(data, kind, target, wished, named), name=name, schema=schema)
    if template not in (None, Template.TABULAR):
        raise ConfigError(f"{data} is a table, for which there is `--template tabular` alone")
    if target is None:
        columns = list(survey(data).columns)
        raise ConfigError(
            f"{data}: which column is to be predicted?", hint=f"--target, one of: {', '.join(columns[:12])}"
        )
    return draft(survey(data), target, name=name, path=named(data), schema=schema)


def _stem(data: Path) -> str:
    """What a config is called after its data."""
    return (
        re.sub(
            r"\.(csv|tsv|tab|txt|npz|npy|jsonl|ndjson|parquet|pq|arrow|feather|ipc)?(\.gz)?$", "", data.absolute().name
        )
        or "model"
    )
