"""The plans of a config and the command line's flags in; a run with its folder and its first state out.

The folder's manifest is written before anything else, so that a run can be resumed whenever it is killed, and its first
checkpoint before it trains, so that a folder that cannot be written to is found out at once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from trainer_cli.errors import ConfigError
from trainer_cli.training import origin
from trainer_cli.training.checkpoints import WeightReport, import_weights
from trainer_cli.training.events import Resumed
from trainer_cli.training.options import FitOptions
from trainer_cli.training.preparation import PhasePlan
from trainer_cli.training.resume import describe, open_resumed, reopen
from trainer_cli.training.run_directory import RunDirectory, create_run_directory, manifest
from trainer_cli.training.saving import Saving
from trainer_cli.training.state import RunState
from trainer_cli.training.under_way import RunUnderWay

if TYPE_CHECKING:
    from trainer_cli.config.load import LoadedConfig


class Begun(NamedTuple):
    """The folder and state of a run, and what is to be told of them."""

    directory: RunDirectory
    state: RunState
    weights: WeightReport | None = None
    resumed: Resumed | None = None


def begin(
    loaded: LoadedConfig, plans: Sequence[PhasePlan], options: FitOptions, began: float
) -> tuple[RunUnderWay, WeightReport | None, Resumed | None]:
    """A run that is locked, written down and ready to train. Raises the errors of `trainer_cli.errors`."""
    dataset = plans[0].dataset
    facts = manifest(
        seed=loaded.config.seed,
        target=options.target,
        threads=options.threads,
        digest=dataset.digest,
        config_folder=loaded.path.parent,
        command=options.command,
    )
    start = _new if options.resume is False else _resumed
    directory, state, weights, resumed = start(loaded, plans, options, facts)
    try:
        directory.write_config(loaded.dump_yaml())
        saving = Saving(directory)
        state.encoding = dataset.encoding.to_json()
        if not directory.last.is_file():
            saving.save(state)
        directory.rewrite_metrics(state.history)
    except BaseException:
        directory.unlock()
        raise
    run = RunUnderWay(
        name=loaded.config.name,
        directory=directory,
        state=state,
        saving=saving,
        began=began,
        earlier_seconds=sum(float(line["seconds"] or 0.0) for line in state.history),
        earlier_steps=state.counters.step,
        options=options,
    )
    return run, weights, resumed


def _new(loaded: LoadedConfig, plans: Sequence[PhasePlan], options: FitOptions, facts: Mapping[str, Any]) -> Begun:
    state, report = _first_state(loaded, plans), None
    if options.weights is not None:
        report = _take_weights(state, plans, options.weights)
        facts = {**facts, origin.KEY: origin.record(origin.Origin("weights", report.path))}
    directory = create_run_directory(loaded.config.name, options.run_directory, facts, command=options.command)
    return Begun(directory, state, report)


def _resumed(loaded: LoadedConfig, plans: Sequence[PhasePlan], options: FitOptions, facts: Mapping[str, Any]) -> Begun:
    if options.weights is not None:
        raise ConfigError("a resumed run has its weights already", hint="give either --resume or --weights")
    assert options.resume is not False
    config = loaded.dump()
    directory, state, found = open_resumed(
        options.resume, loaded.config.name, options.run_directory, facts, options.command
    )
    try:
        report = None
        if state is None:
            state = _first_state(loaded, plans)
            if found.weights is not None:
                report = _take_weights(state, plans, found.weights)
        epochs, stopping = [plan.fit.epochs for plan in plans], plans[-1].fit.early_stopping
        notes = reopen(state, epochs, stopping, extended=options.extend_epochs > 0)
        resumed = describe(state, found, config, len(plans), notes)
        state.config, state.seed = config, loaded.config.seed
    except BaseException:
        directory.unlock()
        raise
    return Begun(directory, state, report, resumed)


def _first_state(loaded: LoadedConfig, plans: Sequence[PhasePlan]) -> RunState:
    """The state before the first step."""
    program = plans[0].program
    state = RunState(seed=loaded.config.seed, config=loaded.dump(), digest=plans[0].dataset.digest)
    state.take(program.initial_state(loaded.config.seed), set(program.slots))
    return state


def _take_weights(state: RunState, plans: Sequence[PhasePlan], path: Path) -> WeightReport:
    program = plans[0].program
    tensors, report = import_weights(path, program, state.seed)
    state.take(tensors, set(program.slots))
    return report
