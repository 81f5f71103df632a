"""A phase that was prepared and not trained in; the words and the JSON that tell of it out."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from trainer_cli.reports import text
from trainer_cli.reports.messages import weights
from trainer_cli.training.dry_run import DryPhase


def messages(name: str, phase: DryPhase) -> Iterator[str]:
    """What was read and compiled."""
    if phase.phase == 1:
        rows = ", ".join(f"{count:,} {use}" for use, count in phase.rows.items())
        yield f"{name}: {phase.parameters:,} parameters ({phase.trainable_parameters:,} trained); rows: {rows}"
    if phase.weights is not None:
        yield from weights(phase.weights)
    which = f"phase {phase.phase}/{phase.phases}" + (f" `{phase.name}`" if phase.name else "")
    lead = f"{which}: " if phase.phases > 1 else ""
    steps = f"{phase.epochs:,} epochs of {phase.steps_per_epoch:,} steps"
    yield f"{lead}compiled in {text.duration(phase.compile_seconds)}; {steps} would be trained"


def line(phase: DryPhase) -> str:
    """`first batch of 32 rows: loss 2.302  accuracy 0.0938`, for stdout."""
    lead = f"phase {phase.phase}/{phase.phases}: " if phase.phases > 1 else ""
    rows = min(phase.batch_size, phase.rows["train"])
    return f"{lead}first batch of {rows:,} rows: {text.listed(phase.first_batch)}"


def record(phase: DryPhase) -> dict[str, Any]:
    """The same for other programs."""
    kept = asdict(phase)
    del kept["warnings"], kept["weights"]
    return kept
