"""`trainer fit`: a config in; a trained network in a run directory, a row of metrics per epoch on stdout."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from trainer_cli.cli import gates, groups, options
from trainer_cli.cli.declared import Misuse, Option
from trainer_cli.errors import ConfigError

if TYPE_CHECKING:
    from trainer_cli.config.load import LoadedConfig
    from trainer_cli.reports.continuous import Account
    from trainer_cli.training.events import Event
    from trainer_cli.training.gates import Gate
    from trainer_cli.training.options import FitOptions
    from trainer_cli.training.preparation import PhasePlan

ResumeOption = Annotated[
    Path | None,
    Option(
        "--resume",
        metavar="RUN",
        help="Go on with a run: its directory, one of its checkpoints, or `latest`. "
        "Without CONFIG the run's own config is used.",
    ),
]


def command(
    *,
    file: groups.ConfigFile,
    run_directory: options.RunDirectoryOption = None,
    weights: options.WeightsOption = None,
    resume: ResumeOption = None,
    extend_epochs: Annotated[
        int, Option("--extend-epochs", min=0, metavar="N", help="Train N epochs more than the config says.")
    ] = 0,
    limit_steps: Annotated[
        int | None,
        Option(
            "--limit-steps",
            min=1,
            metavar="N",
            help="End after N updates, measure, and leave a checkpoint in the midst of the epoch; --resume goes on.",
        ),
    ] = None,
    dry_run: Annotated[
        bool,
        Option(
            "--dry-run",
            help="Everything but training: read the data, compile, evaluate the first batch. Writes no run directory.",
        ),
    ] = False,
    wanted: gates.GateOptions,
    machine: groups.Machine,
    strict: options.StrictOption = False,
    as_json: options.JsonOption = False,
    progress: options.ProgressOption = options.Progress.AUTO,
    quiet: options.QuietOption = False,
) -> None:
    """Train a network.

    Writes config.yaml, manifest.json, metrics.jsonl, summary.json and checkpoints/ to the run directory. The first
    Ctrl-C or SIGTERM writes a checkpoint and stops; `--resume` goes on from it, to the same bits.

    Conditions of --fail-if may name the loss and the metrics, with val_ or test_ before them, the same of the best
    epoch with best. before them, epochs, steps, and seconds.compile, seconds.train, seconds.total.

    \b
    Example:
      trainer fit config.yaml --set fit.epochs=50 --fail-if "test_accuracy < 0.95"
    """
    latest = resume is not None and str(resume) == "latest"
    path = _config_path(file, resume, latest)
    if dry_run and resume is not None:
        raise Misuse("a resumed run has begun already", param_hint="--dry-run")
    conditions = wanted.read()

    from trainer_cli.config.load import load
    from trainer_cli.training.options import FitOptions

    loaded = load(path, file.given)
    if strict:
        _refuse_warnings(loaded)
    options.begin_work()
    settings = FitOptions(
        run_directory=run_directory,
        **machine.settings,
        weights=weights,
        resume=latest or resume or False,
        extend_epochs=extend_epochs,
        limit_steps=limit_steps,
        agree=partial(_agree, conditions),
        command=("trainer", *sys.argv[1:]),
    )
    if dry_run:
        _show_dry_run(loaded, settings, as_json=as_json, quiet=quiet)
        return
    with gates.accounted("fit", loaded.config.name, wanted) as account:
        summary = _train(loaded, settings, progress, as_json=as_json, quiet=quiet)
        _tell(account, summary, conditions, quiet=quiet)
    gates.refuse(account)


def _agree(conditions: Sequence[Gate], plans: Sequence[PhasePlan]) -> None:
    """Refuse gates on what will not be measured, before anything is trained."""
    if conditions:
        from trainer_cli.training.gates import check_keys, keys_of_training

        check_keys(conditions, keys_of_training(plans))


def _train(
    loaded: LoadedConfig, settings: FitOptions, progress: options.Progress, *, as_json: bool, quiet: bool
) -> Mapping[str, Any]:
    """Train, and show it; the run's summary."""
    from trainer_cli.reports.loggers import Loggers
    from trainer_cli.reports.progress import choose
    from trainer_cli.training.events import Finished
    from trainer_cli.training.fit import fit

    summary: Mapping[str, Any] = {}
    with (
        options.places_from(loaded.source),
        choose(progress.value, as_json=as_json, quiet=quiet) as picture,
        Loggers(loaded.config, picture.say) as loggers,
    ):
        for event in fit(loaded, settings):
            picture.show(_with_places(event, loaded))
            loggers.show(event)
            if isinstance(event, Finished):
                summary = {**event.summary, "run_directory": str(event.run_directory)}
    return summary


def _tell(account: Account, summary: Mapping[str, Any], conditions: Sequence[Gate], *, quiet: bool) -> None:
    from trainer_cli.reports.text import duration
    from trainer_cli.training.gates import values_of_training

    values = values_of_training(summary)
    account.measured = {key: value for key, value in values.items() if not key.startswith("seconds.")}
    account.facts = {
        "run directory": summary["run_directory"],
        "ended": summary["stop_reason"].replace("_", " "),
        **{f"time to {name}": duration(seconds) for name, seconds in summary["seconds"].items() if name != "total"},
    }
    gates.close(account, conditions, values, quiet=quiet)


def _show_dry_run(loaded: LoadedConfig, settings: FitOptions, *, as_json: bool, quiet: bool) -> None:
    from trainer_cli.reports import dry_run as report
    from trainer_cli.reports.json_lines import write_json
    from trainer_cli.reports.loggers import Loggers
    from trainer_cli.training.dry_run import dry_run

    Loggers(loaded.config, print)  # what is not installed is found out now
    with options.places_from(loaded.source):
        for phase in dry_run(loaded, settings):
            options.warn(options.placed(phase.warnings, loaded.source))
            options.say(report.messages(loaded.config.name, phase), quiet=quiet)
            if as_json:
                write_json(report.record(phase))
            else:
                print(report.line(phase), flush=True)


def _config_path(file: groups.ConfigFile, resume: Path | None, latest: bool) -> Path:
    """The config: as given, or for a resumed run the one in its directory."""
    if file.config is None and file.config_option is None and resume is not None and not latest:
        directory = resume if resume.is_dir() else resume.absolute().parent.parent
        if (directory / "config.yaml").is_file():
            return directory / "config.yaml"
    return file.path


def _with_places(event: Event, loaded: LoadedConfig) -> Event:
    """The event with the lines and columns of its warnings."""
    from trainer_cli.training.events import PhaseStarted, Started

    if isinstance(event, Started | PhaseStarted) and event.warnings:
        return event._replace(warnings=tuple(options.placed(event.warnings, loaded.source)))
    return event


def _refuse_warnings(loaded: LoadedConfig) -> None:
    from trainer_cli.training.validate import check

    found = check(loaded)
    if found.warnings:
        raise ConfigError(found.warnings, hint="without --strict these are warnings")
