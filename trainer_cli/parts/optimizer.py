"""The contract of an optimizer: a weight and its gradient in, the updated weight out, state asked of its scope."""

from __future__ import annotations

import re
from abc import abstractmethod
from typing import Annotated, Any, ClassVar, Protocol, TypeAlias

from pydantic import Field, field_validator, model_validator

from trainer_cli.ir.graph import Value
from trainer_cli.parts.families import OPTIMIZERS, PartField, Refusal, refusal
from trainer_cli.parts.part import Part
from trainer_cli.parts.schedule import LearningRate

Patterns: TypeAlias = Annotated[tuple[str, ...], Field(strict=False)]
"""Regular expressions that are looked for in the names of weights, `<layer>/<weight>`."""


class UpdateScope(Protocol):
    """What an optimizer may ask of the compilation while it writes the update of one weight."""

    @property
    def weight_name(self) -> str:
        """The weight's name, `<layer>/<weight>`."""

    @property
    def weight(self) -> Value:
        """The weight before it decayed."""

    @property
    def step(self) -> Value:
        """The number of this update, an int scalar counted from 1."""

    def hyperparameter(self, name: str) -> Value:
        """The optimizer's field of that name as a run-time float scalar: changing it never recompiles.

        `hyperparameter("learning_rate")` is the rate of this update, be the field a number or a schedule.
        """

    def slot(self, name: str, initial: float = 0.0, shape: tuple[int, ...] | None = None) -> Value:
        """A state tensor kept between steps as `<weight>/<name>`, of the weight's shape if no other is given."""

    def assign(self, slot: Value, value: Value) -> None:
        """The slot's value after this step."""


class Optimizer(Part):
    """The rule `w ← w − α·g(gradient, state)`, and what all optimizers have in common around it.

    Fields that are numbers and read through `scope.hyperparameter` are run-time inputs: changing one changes neither
    the plan nor the state. What does change which slots exist or what they mean is `structure()`.

    The order of a step is Keras's: gradients are accumulated, then clipped; the weight decays by `w ← w − α·λ·w`; the
    rule is applied; the average of the weights follows; last comes the weight's constraint.

    - With `gradient_accumulation_steps: n` the rule sees the mean gradient of n batches and is applied after every
      n-th one. Its own count of steps is that of its updates; schedules, and the average of the weights, see every
      batch.
    - With `use_ema` the average `a ← μ·a + (1 − μ)·w` (Polyak and Juditsky, "Acceleration of stochastic approximation
      by averaging", 1992) of every trained weight is kept; the first one is the weight itself. Validation
      measures the averages, `best` checkpoints hold them, and a phase ends by replacing the weights by them; Keras
      does only the last without a callback. With `ema_overwrite_frequency: n` every n-th update does so too.
    """

    structural: ClassVar[tuple[str, ...]] = ()
    """The fields whose values are part of the structure as they are (flags such as `nesterov`)."""

    patterns: ClassVar[tuple[str, ...]] = ("exclude_from_weight_decay",)
    """The fields that hold `Patterns`; each of these must be found in the name of a weight."""

    learning_rate: LearningRate = Field(default=0.001, description="step size α")
    weight_decay: float | None = Field(default=None, ge=0, description="share λ of a weight that decays per unit of α")
    exclude_from_weight_decay: Patterns = Field(
        default=(),
        description="weights that do not decay: regular expressions found in `<layer>/<weight>`, such as bias",
    )
    clipnorm: float | None = Field(default=None, gt=0, description="largest norm of each weight's gradient")
    clipvalue: float | None = Field(default=None, gt=0, description="largest absolute value of a gradient's element")
    global_clipnorm: float | None = Field(default=None, gt=0, description="largest norm of all gradients together")
    use_ema: bool = Field(default=False, description="average the weights over the steps, and evaluate the averages")
    ema_momentum: float = Field(default=0.99, ge=0, le=1, description="share μ of the old average that is kept")
    ema_overwrite_frequency: int | None = Field(
        default=None, ge=1, description="number of updates after which the averages replace the weights"
    )
    gradient_accumulation_steps: int | None = Field(
        default=None, ge=2, description="number of batches whose mean gradient makes one update"
    )

    @field_validator("exclude_from_weight_decay", "exclude_layers", check_fields=False)
    @classmethod
    def _patterns_are_regular(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for index, pattern in enumerate(value):
            try:
                re.compile(pattern)
            except re.error as error:
                message = f"`{pattern}` is no regular expression: {error}"
                raise refusal([Refusal("pattern_refused", message, where=(index,))]) from None
        return value

    @model_validator(mode="after")
    def _one_way_of_clipping(self) -> Optimizer:
        given = [name for name in ("clipnorm", "clipvalue", "global_clipnorm") if getattr(self, name) is not None]
        if len(given) > 1:
            names = " and ".join(f"`{name}`" for name in given)
            raise refusal([Refusal("clipped_twice", f"{names} exclude each other", "give one of them", (given[1],))])
        if self.ema_overwrite_frequency is not None and not self.use_ema:
            message = "there are no averages to overwrite the weights with"
            where = ("ema_overwrite_frequency",)
            raise refusal([Refusal("no_averages", message, "add `use_ema: true`", where)])
        return self

    def structure(self) -> dict[str, Any]:
        """What decides, beside the type, slots and their meaning; where it changes, the optimizer's state starts anew.

        The keys are field names, for messages. An optimizer for which a number matters only by being zero or not
        adds to this: `sgd` has a slot just where `momentum` is above 0.
        """
        settings = self.model_dump(mode="json")
        return {name: settings[name] for name in ("use_ema", "gradient_accumulation_steps", *self.structural)}

    def decay_field(self, scope: UpdateScope, weight: Value) -> str | None:
        """The name of the field that holds the weight decay of this weight, None if it does not decay."""
        if self.weight_decay is None or found_in(self.exclude_from_weight_decay, scope.weight_name):
            return None
        return "weight_decay"

    @abstractmethod
    def update(self, scope: UpdateScope, weight: Value, gradient: Value) -> Value:
        """Write the update's IR for one weight; the result has the weight's shape."""


def found_in(patterns: tuple[str, ...], name: str) -> bool:
    """Whether one of the regular expressions is found in a weight's name."""
    return any(re.search(pattern, name) for pattern in patterns)


OptimizerField: TypeAlias = Annotated[Optimizer, PartField(OPTIMIZERS)]
