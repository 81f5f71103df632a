"""What a run tells whoever draws it: one named tuple per kind of moment, in the order in which they happen."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple, TypeAlias

from trainer_cli.errors import Problem
from trainer_cli.training.checkpoints import WeightReport

Report: TypeAlias = dict[str, float | int | None]
"""A line of `metrics.jsonl`: flat numbers; None stands for a metric that has no value (0/0)."""


class Started(NamedTuple):
    """The run directory exists, the data is read, every phase has a program.

    `rows` has the keys `train`, `validation`, `test` as far as they exist. `resumed` says from where and what differs
    from the run that wrote the checkpoint; `weights` what `--weights` brought.
    """

    name: str
    run_directory: Path
    seed: int
    target: str
    threads: int | None
    rows: Mapping[str, int]
    parameters: int
    trainable_parameters: int
    phases: int
    epochs: int  # of all phases together
    resumed: Resumed | None = None
    weights: WeightReport | None = None
    warnings: tuple[Problem, ...] = ()


class Resumed(NamedTuple):
    """Where a resumed run goes on."""

    checkpoint: Path
    phase: int  # counted from 1
    epoch: int  # epochs of that phase that are done
    step: int
    changed: tuple[tuple[str, object, object], ...] = ()  # (key, value in the checkpoint, value now)
    notes: tuple[str, ...] = ()  # e.g. that `last` was damaged


class PhaseStarted(NamedTuple):
    """A phase is compiled and about to train. `notes` says what the change of phase kept and what it reset."""

    phase: int  # counted from 1
    phases: int
    name: str | None
    first_epoch: int  # counted from 1
    epochs: int
    steps_per_epoch: int
    batch_size: int
    compile_seconds: float
    notes: tuple[str, ...] = ()
    warnings: tuple[Problem, ...] = ()


class SliceDone(NamedTuple):
    """A part of an epoch is trained: about thirteen times a second. `results`: loss and metrics so far."""

    phase: int
    epoch: int
    epochs: int
    steps: int  # of this epoch, done so far
    steps_per_epoch: int
    rows: int
    seconds: float  # since the epoch began
    results: Mapping[str, float | None] = MappingProxyType({})


class EpochDone(NamedTuple):
    """An epoch is trained, validated and saved. `report` is the line just added to `metrics.jsonl`."""

    phase: int
    epoch: int
    epochs: int
    report: Report
    improved: bool  # the `best` checkpoint is from this epoch
    stopping: str | None = None  # why this is the phase's last epoch, if it is so before its time
    notes: tuple[str, ...] = ()


class Finished(NamedTuple):
    """The run is over. `summary` is the content of `summary.json`."""

    run_directory: Path
    summary: dict[str, object]
    notes: tuple[str, ...] = ()


Event: TypeAlias = Started | PhaseStarted | SliceDone | EpochDone | Finished
