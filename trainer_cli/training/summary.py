"""The state of a run that ended in; the content of `summary.json` out."""

from __future__ import annotations

import math
from typing import Any

from trainer_cli.training.state import RunState

_BOOKKEEPING = ("phase", "epoch", "steps", "seconds", "learning_rate")


def finite(value: float) -> float | None:
    """A number for JSON, which has no NaN: a metric without a value is None."""
    number = float(value)
    return number if math.isfinite(number) else None


def summarise(name: str, state: RunState, reason: str, total_seconds: float) -> dict[str, Any]:
    """`final` are the metrics of the weights that the run ended with, `best` those of the `best` checkpoint."""
    final = _final_line(state)
    best = state.best
    return {
        "name": name,
        "stop_reason": reason,
        "epochs": len(state.history),
        "steps": state.counters.step,
        "final": {**_metrics(final), **state.test},
        "final_epoch": _where(final),
        "best": {
            "monitor": best.monitor,
            "value": best.value,
            **_where(best.report or {}),
            **_metrics(best.report or {}),
        },
        "seconds": {
            "compile": state.compile_seconds,
            "train": sum(float(line["seconds"] or 0.0) for line in state.history) + state.epoch_seconds,
            "total": total_seconds,
        },
    }


def _final_line(state: RunState) -> dict[str, Any]:
    if not state.history:
        return {}
    last = state.history[-1]
    if state.patience.restored and state.patience.best_epoch is not None:
        for line in state.history:
            if line["phase"] == last["phase"] and line["epoch"] == state.patience.best_epoch + 1:
                return line
    return last


def _metrics(line: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in line.items() if key not in _BOOKKEEPING}


def _where(line: dict[str, Any]) -> dict[str, Any]:
    return {key: line[key] for key in ("phase", "epoch") if key in line}
