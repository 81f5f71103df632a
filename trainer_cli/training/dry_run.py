"""A loaded config in; all that a training does before its first step, and the first batch measured, out."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from trainer_cli.errors import Problem, ResourceError
from trainer_cli.lazy import np
from trainer_cli.training.checkpoints import WeightReport, import_weights
from trainer_cli.training.epoch import first_calls, open_training_target
from trainer_cli.training.options import FitOptions
from trainer_cli.training.preparation import plan_phases, with_more_epochs
from trainer_cli.training.summary import finite

if TYPE_CHECKING:
    from trainer_cli.config.load import LoadedConfig


@dataclass(frozen=True)
class DryPhase:
    """A phase that could be trained: its sizes, and the loss and metrics of its first batch, with the first weights."""

    phase: int  # counted from 1
    phases: int
    name: str | None
    rows: dict[str, int]
    parameters: int
    trainable_parameters: int
    batch_size: int
    steps_per_epoch: int
    epochs: int
    compile_seconds: float
    first_batch: dict[str, float | None]
    weights: WeightReport | None = None
    warnings: tuple[Problem, ...] = ()


def dry_run(loaded: LoadedConfig, options: FitOptions) -> Iterator[DryPhase]:
    """Read the data, compile every phase and evaluate its first batch; nothing is trained and no file is written.

    Raises what `fit` would raise before its first step.
    """
    loaded = with_more_epochs(loaded, options.extend_epochs) if options.extend_epochs else loaded
    plans = plan_phases(loaded.config, loaded.path.parent)
    if options.agree is not None:
        options.agree(plans)
    _check_writable(options.run_directory or Path("runs"))
    target = open_training_target(options.target, options.threads)
    report: WeightReport | None = None
    for plan in plans:
        program, dataset = plan.program, plan.dataset
        state = program.initial_state(loaded.config.seed)
        if options.weights is not None:
            state, report = import_weights(options.weights, program, loaded.config.seed)
        began = time.perf_counter()
        executable = target.compile(program, batch_size=plan.fit.batch_size)
        executable.load(state)
        first_calls(executable, dataset, program.hyperparameters)
        seconds = time.perf_counter() - began
        batch = np.arange(min(plan.fit.batch_size, dataset.train.rows), dtype=np.int32)
        results = program.results(executable.evaluate(dataset.train, batch).totals, len(batch))
        splits = {"train": dataset.train, "validation": dataset.validation, "test": dataset.test}
        yield DryPhase(
            phase=plan.position + 1,
            phases=len(plans),
            name=plan.name,
            rows={name: split.rows for name, split in splits.items() if split is not None},
            parameters=program.parameters,
            trainable_parameters=sum(program.weights[name].size for name in program.trainable_weights),
            batch_size=plan.fit.batch_size,
            steps_per_epoch=-(-dataset.train.rows // plan.fit.batch_size),
            epochs=plan.fit.epochs,
            compile_seconds=seconds,
            first_batch={key: finite(value) for key, value in results.items()},
            weights=report if plan.position == 0 else None,
            warnings=tuple(program.warnings),
        )


def _check_writable(folder: Path) -> None:
    """Raise ResourceError if a run directory could not be made."""
    present = next(path for path in (folder.absolute(), *folder.absolute().parents) if path.exists())
    if not (present.is_dir() and os.access(present, os.W_OK | os.X_OK)):
        raise ResourceError(
            f"cannot create a run directory at {folder}: {present} cannot be written",
            hint="choose a writable folder with --run-dir",
        )
