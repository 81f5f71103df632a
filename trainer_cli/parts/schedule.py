"""The contract of a learning-rate schedule: the update count in, the learning rate of that update out."""

from __future__ import annotations

from abc import abstractmethod
from typing import Annotated, TypeAlias

from trainer_cli.ir.graph import Value
from trainer_cli.parts.families import SCHEDULES, PartField
from trainer_cli.parts.part import Part


class Schedule(Part):
    """A learning rate that depends on the number of updates made."""

    @abstractmethod
    def learning_rate(self, step: Value) -> Value:
        """Write the rate's IR; `step` is an int scalar counted from 0, the result a float scalar."""


ScheduleField: TypeAlias = Annotated[Schedule, PartField(SCHEDULES)]
