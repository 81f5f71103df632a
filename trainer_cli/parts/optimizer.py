"""The contract of an optimizer: a weight and its gradient in, the updated weight out, state asked of its scope."""

from __future__ import annotations

from abc import abstractmethod
from typing import Annotated, Any, ClassVar, Protocol, TypeAlias

from pydantic import Field

from trainer_cli.ir.graph import Value
from trainer_cli.parts.families import OPTIMIZERS, PartField
from trainer_cli.parts.part import Part


class UpdateScope(Protocol):
    """What an optimizer may ask of the compilation while it writes the update of one weight."""

    @property
    def step(self) -> Value:
        """The number of this update, an int scalar counted from 1."""

    def hyperparameter(self, name: str) -> Value:
        """The optimizer's field of that name as a run-time float scalar: changing it never recompiles.

        The product of `hyperparameter("learning_rate")` follows the run's current learning rate.
        """

    def slot(self, name: str, initial: float = 0.0) -> Value:
        """A state tensor of the weight's shape, kept between steps as `<weight>/<name>`."""

    def assign(self, slot: Value, value: Value) -> None:
        """The slot's value after this step."""


class Optimizer(Part):
    """The rule `w ← w − α·g(gradient, state)`.

    Fields that are numbers and read through `scope.hyperparameter` are run-time inputs: changing one changes neither
    the plan nor the state. What does change which slots exist or which formula runs is `structure()`.
    """

    structural: ClassVar[tuple[str, ...]] = ()
    """The fields whose values are part of the structure as they are (flags such as `nesterov`)."""

    learning_rate: float = Field(default=0.001, gt=0, description="step size α")

    def structure(self) -> dict[str, Any]:
        """What decides, beside the type, slots and formula; where it changes, the optimizer's state starts anew.

        The keys are field names, for messages. An optimizer for which a number matters only by being zero or not
        overrides this: `sgd` has a slot just where `momentum` is above 0.
        """
        settings = self.model_dump(mode="json")
        return {name: settings[name] for name in self.structural}

    @abstractmethod
    def update(self, scope: UpdateScope, weight: Value, gradient: Value) -> Value:
        """Write the update's IR for one weight; the result has the weight's shape."""


OptimizerField: TypeAlias = Annotated[Optimizer, PartField(OPTIMIZERS)]
