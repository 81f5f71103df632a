"""A loaded config in; a trained model in a run directory out, told event by event by a generator."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

from trainer_cli.errors import DivergenceError, Interrupted, TrainerError
from trainer_cli.targets.target import Executable, Target
from trainer_cli.training.averages import evaluating
from trainer_cli.training.beginning import begin
from trainer_cli.training.epoch import evaluate_split, open_training_target
from trainer_cli.training.events import Event, Finished, Started
from trainer_cli.training.options import FitOptions
from trainer_cli.training.phase_run import PhaseRun
from trainer_cli.training.preparation import PhasePlan, plan_phases, with_more_epochs
from trainer_cli.training.signals import SignalFlag
from trainer_cli.training.summary import finite
from trainer_cli.training.under_way import RunUnderWay

if TYPE_CHECKING:
    from trainer_cli.config.load import LoadedConfig


def fit(loaded: LoadedConfig, options: FitOptions | None = None) -> Iterator[Event]:
    """Train; every event is yielded as it happens. Raises the errors of `trainer_cli.errors`.

    While the generator runs, SIGINT, SIGTERM and SIGUSR1 end the run with a checkpoint and `Interrupted`.
    """
    began = time.perf_counter()
    options = options or FitOptions()
    loaded = with_more_epochs(loaded, options.extend_epochs) if options.extend_epochs else loaded
    config = loaded.config
    with SignalFlag() as flag:
        with flag.at_once("reading the data"):
            plans = plan_phases(config, loaded.path.parent)
        if options.agree is not None:
            options.agree(plans)
        target = open_training_target(options.target, options.threads)
        run, weights, resumed = begin(loaded, plans, options, began)
        try:
            dataset = plans[0].dataset
            splits = {"train": dataset.train, "validation": dataset.validation, "test": dataset.test}
            first = plans[min(run.state.counters.phase, len(plans) - 1)].program
            yield Started(
                name=config.name,
                run_directory=run.directory.path,
                seed=run.state.seed,
                target=options.target,
                threads=getattr(target, "threads", options.threads),
                rows={name: split.rows for name, split in splits.items() if split is not None},
                parameters=sum(layer.parameters for layer in first.layers),
                trainable_parameters=sum(layer.trainable_parameters for layer in first.layers),
                phases=len(plans),
                epochs=sum(plan.fit.epochs for plan in plans),
                resumed=resumed,
                weights=weights,
            )
            yield from _train(run, plans, target, flag)
        finally:
            run.directory.unlock()


def _train(run: RunUnderWay, plans: list[PhasePlan], target: Target, flag: SignalFlag) -> Iterator[Event]:
    """All phases that are left, and the end; a failure leaves a run that can be looked at."""
    phase: PhaseRun | None = None
    try:
        while run.state.counters.phase < len(plans) and run.steps_left() != 0:
            phase = PhaseRun(run, plans[run.state.counters.phase], target, flag, len(plans))
            yield from phase.events()
        yield _finish(run, plans, target, phase)
    except Interrupted:
        raise
    except TrainerError as error:
        run.leave("diverged" if isinstance(error, DivergenceError) else "failed")
        if isinstance(error, DivergenceError):
            error.hint = f"{error.hint}: {run.directory.last}"
        raise


def _finish(run: RunUnderWay, plans: list[PhasePlan], target: Target, phase: PhaseRun | None) -> Finished:
    """Measure the test rows with the last phase, or, of a finished run that was resumed, with what it would be."""
    state = run.state
    plan = plans[-1] if phase is None else phase.plan
    executable: Executable
    if phase is None:
        executable = target.compile(plan.program, batch_size=plan.fit.batch_size)
        executable.load(state.tensors())
    else:
        executable = phase.executable
    if plan.dataset.test is not None:
        with evaluating(executable, state):
            totals = evaluate_split(executable, plan.dataset.test)
        results = plan.program.results(totals, plan.dataset.test.rows)
        state.test = {f"test_{key}": finite(value) for key, value in results.items()}
    if not run.cut:
        run.saving.save(state)
    limited = run.cut or state.counters.phase < len(plans)
    reason = "early_stopping" if state.patience.stopped else "limit_steps" if limited else "completed"
    return Finished(run.directory.path, run.write_summary(reason))


__all__ = ["FitOptions", "fit"]
