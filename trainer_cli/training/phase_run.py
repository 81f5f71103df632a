"""A run and one of its phases in; the phase trained, epoch by epoch, with its measures, checkpoints and events, out."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

from trainer_cli.errors import DivergenceError, Interrupted
from trainer_cli.targets.target import Target
from trainer_cli.training import monitor, phases, plateau
from trainer_cli.training.averages import evaluated, evaluated_weights, evaluating, settle_weights
from trainer_cli.training.epoch import (
    EpochInputs,
    EpochProgress,
    Pacer,
    divergence_error,
    evaluate_split,
    first_calls,
    locate_divergence,
    phase_seed,
    row_order,
    train_epoch,
)
from trainer_cli.training.events import EpochDone, Event, PhaseStarted, Report, SliceDone
from trainer_cli.training.numbered import keep_numbered
from trainer_cli.training.preparation import PhasePlan
from trainer_cli.training.signals import SignalFlag
from trainer_cli.training.state import RunState
from trainer_cli.training.summary import finite
from trainer_cli.training.under_way import RunUnderWay


class PhaseRun:
    """One phase of a run: `executable` holds its weights from the first event on."""

    def __init__(self, run: RunUnderWay, plan: PhasePlan, target: Target, flag: SignalFlag, phases: int) -> None:
        self.run = run
        self.plan = plan
        self.target = target
        self.flag = flag
        self.phases = phases

    def events(self) -> Iterator[Event]:
        """Compile and train; every event is yielded as it happens."""
        plan, counters = self.plan, self.run.state.counters
        notes = phases.enter_phase(self.run.state, plan.program, plan.optimizer, self.run.state.seed)
        stopping = plan.fit.early_stopping
        watched = None if stopping is None else stopping.monitor
        notes += phases.begin_search(self.run.state, plan.monitor, plan.best_mode, plan.loss, watched)
        plateau.begin(self.run.state, plan.fit.reduce_learning_rate_on_plateau, plan.program)
        began = time.perf_counter()
        with self.flag.at_once("compiling", self.run.directory.way_on):
            self.executable = self.target.compile(plan.program, batch_size=plan.fit.batch_size)
            self.executable.load(self.run.state.tensors())
            first_calls(self.executable, plan.dataset, plan.program.hyperparameters)
        compile_seconds = time.perf_counter() - began
        self.run.state.compile_seconds += compile_seconds
        yield PhaseStarted(
            phase=plan.position + 1,
            phases=self.phases,
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
        while counters.epoch < plan.fit.epochs and not self.run.state.patience.stopped:
            if self.run.steps_left() == 0:
                return
            yield from self._epoch(pacer)
        if not self.run.cut:
            self._end_phase()

    def _end_phase(self) -> None:
        state = self.run.state
        if settle_weights(state):
            self.executable.load(state.tensors())
        state.counters.phase += 1
        state.counters.epoch = 0
        if state.counters.phase < self.phases:
            self.run.saving.save(state)

    def _epoch(self, pacer: Pacer) -> Iterator[Event]:
        plan, state, counters = self.plan, self.run.state, self.run.state.counters
        epoch, dataset = counters.epoch, plan.dataset
        order = row_order(dataset.train.rows, plan.fit.shuffle, state.seed, plan.position, epoch, dataset.block)
        left = self.run.steps_left()
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
        longest = 60.0 * (plan.fit.checkpoint.every_minutes or 0) or self.run.options.checkpoint_seconds_within_epoch
        self._stop_if_asked(progress)
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
            self._stop_if_asked(progress)
            if self.run.saving.overdue(longest):
                self._save_within(progress)
        trained = self._state_within(progress)
        if trained.non_finite():
            raise diverged(steps)
        if len(order) < dataset.train.rows:
            # What is measured below is told, but the checkpoint stays in the midst of the epoch: to resume from there
            # leads to the same bits as no limit at all.
            self.run.saving.save(trained)
            self.run.cut = True
        began = time.perf_counter()
        report = self._measure(inputs, trained, progress)
        report["seconds"] = progress.seconds + time.perf_counter() - began
        yield self._close_epoch(trained, report)

    def _measure(self, inputs: EpochInputs, trained: RunState, progress: EpochProgress) -> Report:
        """The line for `metrics.jsonl`, with validation."""
        plan = self.plan
        results = dict(plan.program.results(progress.totals, progress.position))
        if plan.dataset.validation is not None:
            with evaluating(self.executable, trained):
                totals = evaluate_split(
                    self.executable, plan.dataset.validation, lambda: self._stop_if_asked(progress, trained)
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

    def _close_epoch(self, trained: RunState, report: Report) -> EpochDone:
        """Make the trained epoch part of the run: history, early stopping, checkpoints."""
        plan, state = self.plan, self.run.state
        epoch = state.counters.epoch
        state.close_epoch(trained, report)
        stopping = "the limit of steps is reached within it" if self.run.cut else None
        settings = plan.fit.early_stopping
        if settings is not None and not self.run.cut:
            mode = monitor.direction(settings.monitor, settings.mode, plan.directions)
            value = report[settings.monitor]
            if monitor.observe(state.patience, settings, epoch, value, mode, plan.numerics):
                state.kept_weights = evaluated_weights(state) if settings.restore_best else {}
            if state.patience.stopped:
                stopping = monitor.stop_reason(state.patience, settings, bool(state.kept_weights))
        reduced = () if self.run.cut else plateau.observe(state.plateau, plan.fit, report, plan.directions)
        improved = not self.run.cut and monitor.observe_best(state.best, report[plan.monitor], report)
        if improved:
            self.run.saving.remember_best(evaluated(state))
        self.run.directory.append_metrics(report)
        if not self.run.cut:
            keep_numbered(self.run.directory, state, plan.fit.checkpoint)
        last = state.counters.epoch >= plan.fit.epochs or state.patience.stopped
        if not (last or self.run.cut) and self.run.saving.overdue(self.run.options.checkpoint_seconds):
            self.run.saving.save(state)
        return EpochDone(
            phase=plan.position + 1,
            epoch=epoch + 1,
            epochs=plan.fit.epochs,
            report=report,
            improved=improved,
            stopping=stopping,
            notes=reduced,
        )

    def _stop_if_asked(self, progress: EpochProgress, trained: RunState | None = None) -> None:
        """`trained` is the state to save if it is known, and not in the executable."""
        if self.flag.number is None:
            return
        self._save_within(progress, trained)
        self.run.write_summary("interrupted")
        raise Interrupted(
            self.flag.number,
            f"interrupted in epoch {self.run.state.counters.epoch + 1}, {progress.steps:,} steps into it; "
            f"the state is in {self.run.directory.last}",
            hint=self.run.directory.way_on,
        )

    def _state_within(self, progress: EpochProgress) -> RunState:
        """The state now, in the middle of an epoch."""
        state = self.run.state.copy()
        state.take(self.executable.state(), set(self.plan.program.slots))
        made = progress.steps - state.counters.epoch_steps
        state.counters.position = progress.position
        state.counters.epoch_steps = progress.steps
        state.counters.step += made
        state.counters.optimizer_step += made
        state.totals = dict(progress.totals)
        state.epoch_seconds = progress.seconds
        return state

    def _save_within(self, progress: EpochProgress, trained: RunState | None = None) -> None:
        """Save the state in the middle of an epoch, or that of its start if a weight has become NaN since."""
        state = trained or self._state_within(progress)
        self.run.saving.save(self.run.state if state.non_finite() else state)


def _diagnosis() -> Any:
    """The search for the first value that is not finite."""
    from trainer_cli.targets.reference.diagnose import first_nonfinite

    return first_nonfinite
