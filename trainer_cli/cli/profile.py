"""`trainer profile`: a config in; where the time of a training step goes, kernel by kernel, out."""

from __future__ import annotations

from typing import Annotated

from trainer_cli.cli import groups, options
from trainer_cli.cli.declared import Option


def command(
    *,
    file: groups.ConfigFile,
    phase: Annotated[int, Option("--phase", min=1, metavar="N", help="Which of the config's phases.")] = 1,
    steps: Annotated[
        int | None,
        Option("--steps", min=1, metavar="N", help="Steps of each of 15 rounds [default: as fill 40 ms]."),
    ] = None,
    threads: options.ThreadsOption = None,
    as_json: options.JsonOption = False,
) -> None:
    """Show where the time of a training step goes.

    Trains some steps on the config's data, without writing a run, and times every kernel: its fastest round, its share
    of the step, operations and bytes per second, and how many times longer it takes than its arithmetic would at the
    speed of this machine's matrix products.

    \b
    Example:
      trainer profile config.yaml --threads 1
    """
    path = file.path

    from trainer_cli.config.load import load
    from trainer_cli.reports.profile import print_profile, record
    from trainer_cli.training.profile import profile_phase

    loaded = load(path, file.given)
    options.begin_work()
    with options.places_from(loaded.source):
        profile = profile_phase(loaded, phase=phase - 1, threads=threads, steps=steps)
    if as_json:
        from trainer_cli.reports.json_lines import write_json

        write_json(record(profile))
    else:
        print_profile(profile)
