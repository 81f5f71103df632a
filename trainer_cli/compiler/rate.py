"""The learning rate: a number or a schedule and the count of updates in, the rate as a scalar in IR out.

Every number in it is a run-time input: `learning_rate`, or `learning_rate.decay_steps` and the like of a schedule.
"""

from __future__ import annotations

from trainer_cli.ir import language as ir
from trainer_cli.ir.graph import Value
from trainer_cli.parts.schedule import Schedule

LEARNING_RATE = "learning_rate"
SCHEDULE_START = "learning_rate.start"
"""The number of updates that the optimizer had made when the schedule began."""


class Scope:
    """The learning rate as a schedule sees it; see `trainer_cli.parts.schedule.RateScope`."""

    def __init__(self, schedule: Schedule, step: Value, prefix: str, numbers: dict[str, float]) -> None:
        self._schedule = schedule
        self._prefix = prefix
        self._numbers = numbers
        self.step = step

    def hyperparameter(self, name: str) -> Value:
        return self._number(name, getattr(self._schedule, name))

    def hyperparameters(self, name: str) -> list[Value]:
        return [self._number(f"{name}[{index}]", each) for index, each in enumerate(getattr(self._schedule, name))]

    def rate(self, name: str, step: Value) -> Value:
        return _write(getattr(self._schedule, name), step, f"{self._prefix}.{name}", self._numbers)

    def _number(self, name: str, number: float) -> Value:
        full = f"{self._prefix}.{name}"
        self._numbers[full] = float(number)
        return self.step.graph.hyperparameter(full)


def write_rate(rate: float | Schedule, updates: Value, numbers: dict[str, float]) -> Value:
    """The rate of the update after `updates` (a scalar) others; its numbers are added to `numbers` by name."""
    return _write(rate, ir.cast(updates, "float"), LEARNING_RATE, numbers)


def _write(rate: float | Schedule, step: Value, name: str, numbers: dict[str, float]) -> Value:
    if isinstance(rate, Schedule):
        return rate.rate(Scope(rate, step, name, numbers))
    numbers[name] = float(rate)
    return step.graph.hyperparameter(name)
