"""A loaded config in; a trained model in a run directory out, told event by event by a generator."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from trainer_cli.errors import ConfigError, DivergenceError, Interrupted, TrainerError
from trainer_cli.training import monitor, phases, plateau
from trainer_cli.training.averages import evaluated, evaluated_weights, evaluating, settle_weights
from trainer_cli.training.checkpoints import WeightReport, import_weights
from trainer_cli.training.epoch import (
    EpochInputs,
    EpochProgress,
    Pacer,
    divergence_error,
    evaluate_split,
    first_calls,
    locate_divergence,
    open_training_target,
    phase_seed,
    row_order,
    train_epoch,
)
from trainer_cli.training.events import EpochDone, Event, Finished, PhaseStarted, Report, Resumed, SliceDone, Started
from trainer_cli.training.numbered import keep_numbered
from trainer_cli.training.options import FitOptions
from trainer_cli.training.preparation import PhasePlan, plan_phases, with_more_epochs
from trainer_cli.training.resume import describe, open_resumed, reopen
from trainer_cli.training.run_directory import create_run_directory, manifest
from trainer_cli.training.saving import Saving
from trainer_cli.training.signals import SignalFlag
from trainer_cli.training.state import RunState
from trainer_cli.training.summary import finite, summarise

if TYPE_CHECKING:
    from trainer_cli.config.load import LoadedConfig


def fit(loaded: LoadedConfig, options: FitOptions | None = None) -> Iterator[Event]:
    """Train; every event is yielded as it happens. Raises the errors of `trainer_cli.errors`.

    While the generator runs, SIGINT, SIGTERM and SIGUSR1 end the run with a checkpoint and `Interrupted`.
    """
    with SignalFlag() as flag:
        run = _Run(loaded, options or FitOptions(), flag)
        try:
            yield from run.events()
        finally:
            if hasattr(run, "directory"):
                run.directory.unlock()


class _Run:
    """One call of `fit`: its folder, its state and the executable of the phase under way."""

    def __init__(self, loaded: LoadedConfig, options: FitOptions, flag: SignalFlag) -> None:
        self.began = time.perf_counter()
        self.options = options
        self.flag = flag
        self.loaded = with_more_epochs(loaded, options.extend_epochs) if options.extend_epochs else loaded
        self.config = self.loaded.config
        self.earlier_seconds = 0.0
        self.cut = False  # the limit of steps ended the run within an epoch

    def events(self) -> Iterator[Event]:
        with self.flag.at_once("reading the data"):
            self.plans = plan_phases(self.config, self.loaded.path.parent)
        if self.options.agree is not None:
            self.options.agree(self.plans)
        self.target = open_training_target(self.options.target, self.options.threads)
        weights, resumed = self._begin()
        self.earlier_steps = self.state.counters.step
        dataset = self.plans[0].dataset
        splits = {"train": dataset.train, "validation": dataset.validation, "test": dataset.test}
        first = self.plans[min(self.state.counters.phase, len(self.plans) - 1)].program
        yield Started(
            name=self.config.name,
            run_directory=self.directory.path,
            seed=self.state.seed,
            target=self.options.target,
            threads=getattr(self.target, "threads", self.options.threads),
            rows={name: split.rows for name, split in splits.items() if split is not None},
            parameters=sum(layer.parameters for layer in first.layers),
            trainable_parameters=sum(layer.trainable_parameters for layer in first.layers),
            phases=len(self.plans),
            epochs=sum(plan.fit.epochs for plan in self.plans),
            resumed=resumed,
            weights=weights,
        )
        try:
            while self.state.counters.phase < len(self.plans) and self._steps_left() != 0:
                yield from self._phase(self.plans[self.state.counters.phase])
            yield self._finish()
        except Interrupted:
            raise
        except TrainerError as error:
            self._leave("diverged" if isinstance(error, DivergenceError) else "failed")
            if isinstance(error, DivergenceError):
                error.hint = f"{error.hint}: {self.directory.last}"
            raise

    def _begin(self) -> tuple[WeightReport | None, Resumed | None]:
        """Open or make the folder and the state."""
        options = self.options
        report: WeightReport | None = None
        resumed: Resumed | None = None
        dataset = self.plans[0].dataset
        if options.resume is not False:
            if options.weights is not None:
                raise ConfigError("a resumed run has its weights already", hint="give either --resume or --weights")
            self.directory, state, found = open_resumed(
                options.resume, self.config.name, dataset.digest, options.run_directory, options.command
            )
            self.state = state or self._first_state()
            epochs, stopping = [plan.fit.epochs for plan in self.plans], self.plans[-1].fit.early_stopping
            notes = reopen(self.state, epochs, stopping, extended=options.extend_epochs > 0)
            resumed = describe(self.state, found, self.loaded.dump(), len(self.plans), notes)
            self.state.config = self.loaded.dump()
            self.state.seed = self.config.seed
            self.earlier_seconds = sum(float(line["seconds"] or 0.0) for line in self.state.history)
        else:
            self.state = self._first_state()
            if options.weights is not None:
                program = self.plans[0].program
                tensors, report = import_weights(options.weights, program, self.config.seed)
                self.state.take(tensors, set(program.slots))
            self.directory = create_run_directory(self.config.name, options.run_directory)
            self.directory.lock(options.command)
        self.saving = Saving(self.directory)
        self.state.encoding = dataset.encoding.to_json()
        if not self.directory.last.is_file():
            # Any run can be resumed from its first moment, and a folder that cannot be written to is found out now.
            self.saving.save(self.state)
        self.directory.write_config(self.loaded.dump_yaml())
        self.directory.write_manifest(
            manifest(
                seed=self.state.seed,
                target=options.target,
                threads=options.threads,
                digest=dataset.digest,
                config_folder=self.loaded.path.parent,
                command=options.command,
            )
        )
        self.directory.rewrite_metrics(self.state.history)
        return report, resumed

    def _first_state(self) -> RunState:
        """The state before the first step."""
        program = self.plans[0].program
        state = RunState(seed=self.config.seed, config=self.loaded.dump(), digest=self.plans[0].dataset.digest)
        state.take(program.initial_state(self.config.seed), set(program.slots))
        return state

    # One phase

    def _phase(self, plan: PhasePlan) -> Iterator[Event]:
        counters = self.state.counters
        self.plan = plan
        notes = phases.enter_phase(self.state, plan.program, plan.optimizer, self.state.seed)
        stopping = plan.fit.early_stopping
        watched = None if stopping is None else stopping.monitor
        notes += phases.begin_search(self.state, plan.monitor, plan.best_mode, plan.loss, watched)
        plateau.begin(self.state, plan.fit.reduce_learning_rate_on_plateau, plan.program)
        began = time.perf_counter()
        with self.flag.at_once("compiling", self.directory.way_on):
            self.executable = self.target.compile(plan.program, batch_size=plan.fit.batch_size)
            self.executable.load(self.state.tensors())
            first_calls(self.executable, plan.dataset, plan.program.hyperparameters)
        compile_seconds = time.perf_counter() - began
        self.state.compile_seconds += compile_seconds
        yield PhaseStarted(
            phase=plan.position + 1,
            phases=len(self.plans),
            name=plan.name,
            first_epoch=counters.epoch + 1,
            epochs=plan.fit.epochs,
            steps_per_epoch=-(-plan.dataset.train.rows // plan.fit.batch_size),
            batch_size=plan.fit.batch_size,
            compile_seconds=compile_seconds,
            notes=tuple(notes),
            warnings=tuple(plan.program.warnings),
        )
        pacer = Pacer()
        while counters.epoch < plan.fit.epochs and not self.state.patience.stopped:
            if self._steps_left() == 0:
                return
            yield from self._epoch(plan, pacer)
        if not self.cut:
            self._end_phase(plan)

    def _steps_left(self) -> int | None:
        """Updates that `limit_steps` still allows, None without a limit."""
        limit = self.options.limit_steps
        return None if limit is None else limit - (self.state.counters.step - self.earlier_steps)

    def _end_phase(self, plan: PhasePlan) -> None:
        state = self.state
        if settle_weights(state):
            self.executable.load(state.tensors())
        state.counters.phase += 1
        state.counters.epoch = 0
        if state.counters.phase < len(self.plans):
            self.saving.save(state)

    def _epoch(self, plan: PhasePlan, pacer: Pacer) -> Iterator[Event]:
        state, counters = self.state, self.state.counters
        epoch, dataset = counters.epoch, plan.dataset
        order = row_order(dataset.train.rows, plan.fit.shuffle, state.seed, plan.position, epoch, dataset.block)
        left = self._steps_left()
        if left is not None:
            order = order[: counters.position + left * plan.fit.batch_size]
        inputs = EpochInputs(
            split=dataset.train,
            order=order,
            batch_size=plan.fit.batch_size,
            first_step=counters.optimizer_step - counters.epoch_steps,
            hyperparameters=phases.run_time_numbers(plan.program, state),
            seed=phase_seed(state.seed, plan.position),
        )
        progress = EpochProgress(counters.position, counters.epoch_steps, dict(state.totals), state.epoch_seconds)
        start = EpochProgress(counters.position, counters.epoch_steps)
        steps = inputs.steps(start)

        def diverged(failing: int) -> DivergenceError:
            return locate_divergence(
                self.executable, plan.program, inputs, start, state.tensors(), failing, epoch, _diagnosis()
            )

        if progress.position == 0:
            self.executable.begin_pass()
        longest = 60.0 * (plan.fit.checkpoint.every_minutes or 0) or self.options.checkpoint_seconds_within_epoch
        self._stop_if_asked(plan, progress)
        for _ in train_epoch(self.executable, inputs, progress, pacer, on_divergence=diverged):
            yield SliceDone(
                phase=plan.position + 1,
                epoch=epoch + 1,
                epochs=plan.fit.epochs,
                steps=progress.steps,
                steps_per_epoch=steps,
                rows=progress.position,
                seconds=progress.seconds,
                results={
                    key: finite(value)
                    for key, value in plan.program.results(progress.totals, progress.position).items()
                },
            )
            self._stop_if_asked(plan, progress)
            if self.saving.overdue(longest):
                self._save_within(plan, progress)
        trained = self._state_within(plan, progress)
        if trained.non_finite():
            raise diverged(steps)
        if len(order) < dataset.train.rows:
            # What is measured below is told, but the checkpoint stays in the midst of the epoch: to resume from there
            # leads to the same bits as no limit at all.
            self.saving.save(trained)
            self.cut = True
        began = time.perf_counter()
        report = self._measure(plan, inputs, trained, progress)
        report["seconds"] = progress.seconds + time.perf_counter() - began
        yield self._close_epoch(plan, trained, report)

    def _measure(self, plan: PhasePlan, inputs: EpochInputs, trained: RunState, progress: EpochProgress) -> Report:
        """The line for `metrics.jsonl`, with validation."""
        results = dict(plan.program.results(progress.totals, progress.position))
        if plan.dataset.validation is not None:
            with evaluating(self.executable, trained):
                totals = evaluate_split(
                    self.executable, plan.dataset.validation, lambda: self._stop_if_asked(plan, progress, trained)
                )
            results.update(
                {
                    f"val_{key}": value
                    for key, value in plan.program.results(totals, plan.dataset.validation.rows).items()
                }
            )
        report: Report = {
            "phase": plan.position + 1,
            "epoch": trained.counters.epoch + 1,
            "steps": trained.counters.step,
            "seconds": None,
            "learning_rate": phases.learning_rate(plan.program, plan.optimizer, trained),
        }
        report.update({key: finite(value) for key, value in results.items()})
        for key in ("loss", "val_loss"):
            if key in report and report[key] is None:
                what = "the loss" if key == "loss" else "the validation loss"
                steps = progress.steps
                raise divergence_error(trained.counters.epoch, steps - 1, steps, None, what)
        return report

    def _close_epoch(self, plan: PhasePlan, trained: RunState, report: Report) -> EpochDone:
        """Make the trained epoch part of the run: history, early stopping, checkpoints."""
        state = self.state
        epoch = state.counters.epoch
        state.close_epoch(trained, report)
        stopping = "the limit of steps is reached within it" if self.cut else None
        settings = plan.fit.early_stopping
        if settings is not None and not self.cut:
            mode = monitor.direction(settings.monitor, settings.mode, plan.directions)
            if monitor.observe(state.patience, settings, epoch, report[settings.monitor], mode):
                state.kept_weights = evaluated_weights(state) if settings.restore_best else {}
            if state.patience.stopped:
                stopping = monitor.stop_reason(state.patience, settings.monitor, bool(state.kept_weights))
        reduced = () if self.cut else plateau.observe(state.plateau, plan.fit, report, plan.directions)
        improved = not self.cut and monitor.observe_best(state.best, report[plan.monitor], report)
        if improved:
            self.saving.remember_best(evaluated(state))
        self.directory.append_metrics(report)
        if not self.cut:
            keep_numbered(self.directory, state, plan.fit.checkpoint)
        last = state.counters.epoch >= plan.fit.epochs or state.patience.stopped
        if not (last or self.cut) and self.saving.overdue(self.options.checkpoint_seconds):
            self.saving.save(state)
        return EpochDone(
            phase=plan.position + 1,
            epoch=epoch + 1,
            epochs=plan.fit.epochs,
            report=report,
            improved=improved,
            stopping=stopping,
            notes=reduced,
        )

    # Ends

    def _finish(self) -> Finished:
        if hasattr(self, "executable"):
            plan = self.plan
        else:  # a finished run that was resumed
            plan = self.plans[-1]
            self.executable = self.target.compile(plan.program, batch_size=plan.fit.batch_size)
            self.executable.load(self.state.tensors())
        if plan.dataset.test is not None:
            with evaluating(self.executable, self.state):
                totals = evaluate_split(self.executable, plan.dataset.test)
            results = plan.program.results(totals, plan.dataset.test.rows)
            self.state.test = {f"test_{key}": finite(value) for key, value in results.items()}
        if not self.cut:
            self.saving.save(self.state)
        limited = self.cut or self.state.counters.phase < len(self.plans)
        reason = "early_stopping" if self.state.patience.stopped else "limit_steps" if limited else "completed"
        summary = self._summary(reason)
        self.directory.write_summary(summary)
        return Finished(self.directory.path, summary)

    def _stop_if_asked(self, plan: PhasePlan, progress: EpochProgress, trained: RunState | None = None) -> None:
        """`trained` is the state to save if it is known, and not in the executable."""
        if self.flag.number is None:
            return
        self._save_within(plan, progress, trained)
        self.directory.write_summary(self._summary("interrupted"))
        raise Interrupted(
            self.flag.number,
            f"interrupted in epoch {self.state.counters.epoch + 1}, {progress.steps:,} steps into it; "
            f"the state is in {self.directory.last}",
            hint=self.directory.way_on,
        )

    def _leave(self, reason: str) -> None:
        """Save what is good; the failure itself is what the user must see."""
        with suppress(TrainerError):
            self.saving.save(self.state)
            self.directory.write_summary(self._summary(reason))

    def _state_within(self, plan: PhasePlan, progress: EpochProgress) -> RunState:
        """The state now, in the middle of an epoch."""
        state = self.state.copy()
        state.take(self.executable.state(), set(plan.program.slots))
        made = progress.steps - state.counters.epoch_steps
        state.counters.position = progress.position
        state.counters.epoch_steps = progress.steps
        state.counters.step += made
        state.counters.optimizer_step += made
        state.totals = dict(progress.totals)
        state.epoch_seconds = progress.seconds
        return state

    def _save_within(self, plan: PhasePlan, progress: EpochProgress, trained: RunState | None = None) -> None:
        """Save the state in the middle of an epoch, or that of its start if a weight has become NaN since."""
        state = trained or self._state_within(plan, progress)
        self.saving.save(self.state if state.non_finite() else state)

    def _summary(self, reason: str) -> dict[str, Any]:
        total = self.earlier_seconds + time.perf_counter() - self.began
        return summarise(self.config.name, self.state, reason, total)


def _diagnosis() -> Any:
    """The search for the first value that is not finite."""
    from trainer_cli.targets.reference.diagnose import first_nonfinite

    return first_nonfinite


__all__ = ["FitOptions", "fit"]
