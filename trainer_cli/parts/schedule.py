"""The contract of a learning-rate schedule: the count of updates in, the learning rate of the next update out."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import Annotated, Any, Protocol, TypeAlias

from pydantic import Discriminator, Field, Tag

from trainer_cli.ir.graph import Value
from trainer_cli.parts.families import SCHEDULES, PartField
from trainer_cli.parts.part import Part


class RateScope(Protocol):
    """What a schedule may ask of the compilation while it writes the learning rate."""

    @property
    def step(self) -> Value:
        """The number of updates made before this one, a float scalar counted from 0."""

    def hyperparameter(self, name: str) -> Value:
        """The schedule's field of that name as a run-time float scalar: changing it never recompiles."""

    def hyperparameters(self, name: str) -> list[Value]:
        """The same of a field that is a list of numbers."""

    def rate(self, name: str, step: Value) -> Value:
        """The field of that name, a number or a schedule itself, after `step` updates."""


class Schedule(Part):
    """A learning rate that depends on the number of updates made.

    Updates are counted from 0 as the optimizer counts them: the count goes on through epochs, resumed runs and phases
    that keep the optimizer's state, and starts anew with that state or with a phase that has another schedule. With
    `gradient_accumulation_steps` every batch counts, as in Keras.
    """

    @abstractmethod
    def rate(self, scope: RateScope) -> Value:
        """Write the rate's IR, a float scalar."""


ScheduleField: TypeAlias = Annotated[Schedule, PartField(SCHEDULES)]


def _form(value: Any) -> str:
    """Whether a value means a number or a schedule; a number in quotes is a number that was written wrongly."""
    if isinstance(value, str):
        try:
            float(value)
        except ValueError:
            return "(schedule)"
        return "(number)"
    return "(schedule)" if isinstance(value, (Mapping, Schedule)) else "(number)"


LearningRate: TypeAlias = Annotated[
    Annotated[float, Field(gt=0), Tag("(number)")] | Annotated[ScheduleField, Tag("(schedule)")], Discriminator(_form)
]
Numbers: TypeAlias = Annotated[tuple[float, ...], Field(strict=False)]
"""Several numbers: a list in a config, a tuple in the part."""
