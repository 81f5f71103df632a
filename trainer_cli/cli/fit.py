"""`trainer fit`: a config in; a trained network in a run directory, a row of metrics per epoch on stdout."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from trainer_cli.cli import options
from trainer_cli.errors import ConfigError

if TYPE_CHECKING:
    from trainer_cli.config.load import LoadedConfig
    from trainer_cli.training.events import Event

ResumeOption = Annotated[
    Path | None,
    typer.Option(
        "--resume",
        metavar="RUN",
        help="Go on with a run: its directory, one of its checkpoints, or `latest`. "
        "Without CONFIG the run's own config is used.",
    ),
]


def command(
    config: options.ConfigArgument = None,
    config_option: options.ConfigOption = None,
    overrides: options.SetOption = None,
    run_directory: options.RunDirectoryOption = None,
    weights: options.WeightsOption = None,
    resume: ResumeOption = None,
    extend_epochs: Annotated[
        int, typer.Option("--extend-epochs", min=0, metavar="N", help="Train N epochs more than the config says.")
    ] = 0,
    threads: options.ThreadsOption = None,
    target: options.TargetOption = options.Target.CPU,
    strict: options.StrictOption = False,
    as_json: options.JsonOption = False,
    progress: options.ProgressOption = options.Progress.AUTO,
    quiet: options.QuietOption = False,
) -> None:
    """Train a network.

    Writes config.yaml, manifest.json, metrics.jsonl, summary.json and checkpoints/ to the run directory. The first
    Ctrl-C or SIGTERM writes a checkpoint and stops; `--resume` goes on from it, to the same bits.
    """
    latest = resume is not None and str(resume) == "latest"
    path = _config_path(config, config_option, resume, latest)

    from trainer_cli.config.load import load
    from trainer_cli.reports.progress import choose
    from trainer_cli.training.fit import FitOptions, fit

    options.begin_work()
    loaded = load(path, overrides or ())
    if strict:
        _refuse_warnings(loaded)
    settings = FitOptions(
        run_directory=run_directory,
        target=target.value,
        threads=threads,
        weights=weights,
        resume=latest or resume or False,
        extend_epochs=extend_epochs,
        command=("trainer", *sys.argv[1:]),
    )
    with options.places_from(loaded.source), choose(progress.value, as_json=as_json, quiet=quiet) as picture:
        for event in fit(loaded, settings):
            picture.show(_with_places(event, loaded))


def _config_path(argument: Path | None, option: Path | None, resume: Path | None, latest: bool) -> Path:
    """The config: as given, or for a resumed run the one in its directory."""
    if argument is None and option is None and resume is not None and not latest:
        directory = resume if resume.is_dir() else resume.absolute().parent.parent
        if (directory / "config.yaml").is_file():
            return directory / "config.yaml"
    return options.chosen(argument, option)


def _with_places(event: Event, loaded: LoadedConfig) -> Event:
    """The event with the lines and columns of its warnings."""
    from trainer_cli.training.events import PhaseStarted, Started

    if isinstance(event, Started | PhaseStarted) and event.warnings:
        return replace(event, warnings=tuple(options.placed(event.warnings, loaded.source)))
    return event


def _refuse_warnings(loaded: LoadedConfig) -> None:
    from trainer_cli.training.validate import check

    found = check(loaded)
    if found.warnings:
        raise ConfigError(found.warnings, hint="without --strict these are warnings")
