"""`trainer compile`: a config in; its layer table, costs and plan out, and on request the generated source."""

from __future__ import annotations

from typing import Annotated

from trainer_cli.cli import groups, options
from trainer_cli.cli.declared import Option


def command(
    *,
    file: groups.ConfigFile,
    phase: Annotated[int, Option("--phase", min=1, metavar="N", help="Which of the config's phases.")] = 1,
    source: Annotated[bool, Option("--source", help="Print the generated source instead.")] = False,
    machine: groups.Machine,
    strict: options.StrictOption = False,
    as_json: options.JsonOption = False,
) -> None:
    """Show what a config is compiled to: layers and parameters, work per step, regions and barriers.

    \b
    Example:
      trainer compile config.yaml --source
    """
    path = file.path

    from trainer_cli.config.load import load
    from trainer_cli.errors import ConfigError
    from trainer_cli.reports.json_lines import write_json
    from trainer_cli.training.compile import compile_phase

    loaded = load(path, file.given)
    options.begin_work()
    with options.places_from(loaded.source):
        compiled = compile_phase(loaded, phase=phase - 1, **machine.settings)
        warnings = options.placed(compiled.warnings, loaded.source)
        if strict and warnings:
            raise ConfigError(warnings, hint="without --strict these are warnings")
    options.warn(warnings)
    if as_json:
        from trainer_cli.reports.json_lines import compilation

        write_json(compilation(compiled, with_source=source))
    elif source:
        print(compiled.source, end="" if compiled.source.endswith("\n") else "\n")
    else:
        from trainer_cli.reports.tables import print_compilation

        print_compilation(compiled)
