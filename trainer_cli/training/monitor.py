"""Epoch reports in; whether to stop, and whether this is the best epoch so far, out; with the meaning of Keras 3.

Where TensorFlow.js means something else by early stopping, `numerics: tfjs` chooses that.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, Protocol

from trainer_cli.errors import Problem
from trainer_cli.parts.numerics import BASELINE_IS_FIRST_BEST, Numerics

if TYPE_CHECKING:
    from trainer_cli.training.state import Best, Patience

Direction = Literal["min", "max"]


class EarlyStoppingSettings(Protocol):
    """`fit.early_stopping` of a config."""

    @property
    def monitor(self) -> str: ...
    @property
    def patience(self) -> int: ...
    @property
    def min_delta(self) -> float: ...
    @property
    def mode(self) -> Literal["auto", "min", "max"]: ...
    @property
    def baseline(self) -> float | None: ...
    @property
    def restore_best(self) -> bool: ...
    @property
    def start_from_epoch(self) -> int: ...


def direction(monitor: str, mode: str, directions: Mapping[str, Direction]) -> Direction:
    """Whether larger or smaller values of a monitored key are better; `directions` are those of the metrics."""
    if mode == "min" or mode == "max":
        return mode  # type: ignore[return-value]  # mypy does not narrow a str by comparison
    return directions.get(monitor.removeprefix("val_"), "min")


def improves(value: float | None, reference: float | None, mode: Direction, min_delta: float = 0.0) -> bool:
    """Whether a value beats a reference by more than `min_delta`; any value beats none, no value beats nothing."""
    if value is None or math.isnan(value):
        return False
    if reference is None:
        return True
    return value - min_delta > reference if mode == "max" else value + min_delta < reference


def observe(
    patience: Patience,
    settings: EarlyStoppingSettings,
    epoch: int,
    value: float | None,
    mode: Direction,
    numerics: Numerics = "keras",
) -> bool:
    """Take one epoch (counted from 0 within the phase) into account; True if it is better than all before.

    Sets `patience.stopped` when the run should end. With Keras the baseline does not start the search for the best: it
    only keeps the wait from starting anew while the monitored value has not passed it, and the first epoch never stops
    a run. With TensorFlow.js the baseline is the best to begin with, and every epoch may stop the run.
    """
    from_baseline = BASELINE_IS_FIRST_BEST[numerics]
    if epoch < settings.start_from_epoch:
        return False
    patience.wait += 1
    best = settings.baseline if from_baseline and patience.best is None else patience.best
    if improves(value, best, mode, settings.min_delta):
        patience.best = value
        patience.best_epoch = epoch
        if settings.baseline is None or improves(value, settings.baseline, mode, settings.min_delta):
            patience.wait = 0
        return True
    if patience.wait >= settings.patience and (epoch > 0 or from_baseline):
        patience.stopped = True
    return False


def stop_reason(patience: Patience, settings: EarlyStoppingSettings, restored: bool) -> str:
    """Why early stopping ended a phase, in words."""
    monitor = settings.monitor
    if patience.best is None or patience.best_epoch is None:
        if settings.baseline is None:
            return f"{monitor} has no value"
        return f"{monitor} has not been better than the baseline {settings.baseline:.6g}"
    count = f"{patience.wait} epoch{'s' if patience.wait != 1 else ''}"
    weights = ", whose weights are restored" if restored else ""
    return f"no better {monitor} for {count} (best {patience.best:.6g} in epoch {patience.best_epoch + 1}{weights})"


def observe_best(best: Best, value: float | None, report: Mapping[str, Any]) -> bool:
    """Take one epoch into account for the `best` checkpoint; True if it should be written."""
    if not improves(value, best.value, best.mode):  # type: ignore[arg-type]
        return False
    best.value = value
    best.report = dict(report)
    return True


def default_monitor(has_validation: bool) -> str:
    """What the `best` checkpoint goes by if the config does not say."""
    return "val_loss" if has_validation else "loss"


def check_monitor(
    monitor: str, metric_keys: Iterable[str], has_validation: bool, path: tuple[str | int, ...]
) -> Problem | None:
    """The problem with one monitored name, if there is any."""
    measured = ["loss", *metric_keys]
    known = [*measured, *(f"val_{key}" for key in measured)] if has_validation else measured
    if monitor in known:
        return None
    if not has_validation and monitor.startswith("val_") and monitor.removeprefix("val_") in measured:
        return Problem(
            f"`{monitor}` needs validation data, and there is none",
            path,
            hint=f"hold rows out with `split: {{validation: 0.15}}` under `data`, or monitor "
            f"`{monitor.removeprefix('val_')}`",
        )
    import difflib

    nearest = difflib.get_close_matches(monitor, known, n=1, cutoff=0.5)
    hint = f"did you mean `{nearest[0]}`? " if nearest else ""
    return Problem(f"nothing named `{monitor}` is measured", path, hint=f"{hint}known: {', '.join(known)}")


def check_monitors(
    fit: Any, metric_keys: Sequence[str], has_validation: bool, path: tuple[str | int, ...] = ("fit",)
) -> list[Problem]:
    """Problems with the names that one `fit` section monitors.

    `fit` is the section of the phase, defaults filled in; `path` where it stands in the config.
    """
    problems = []
    for name in ("early_stopping", "reduce_learning_rate_on_plateau"):
        section = getattr(fit, name, None)
        if section is not None:
            where = (*path, name, "monitor")
            problems.append(check_monitor(section.monitor, metric_keys, has_validation, where))
    monitor = getattr(fit.checkpoint, "monitor", None)
    if monitor is not None:
        problems.append(check_monitor(monitor, metric_keys, has_validation, (*path, "checkpoint", "monitor")))
    return [problem for problem in problems if problem is not None]
