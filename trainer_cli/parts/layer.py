"""The contract of a layer: values from the layers before it in, one value out, weights asked of its scope."""

from __future__ import annotations

from abc import abstractmethod
from typing import Annotated, ClassVar, Literal, NoReturn, Protocol, TypeAlias

from pydantic import Field

from trainer_cli.ir.graph import Value
from trainer_cli.parts.activation import Activation
from trainer_cli.parts.constraint import Constraint
from trainer_cli.parts.families import LAYERS, PartField
from trainer_cli.parts.initializer import Initializer
from trainer_cli.parts.part import Part
from trainer_cli.parts.regularizer import Regularizer, RegularizerField

MaskUse: TypeAlias = Literal["drops", "keeps", "reads"]


class LayerScope(Protocol):
    """What a layer may ask of the trace that it is part of."""

    @property
    def training(self) -> bool:
        """True while the training step is traced; dropout and batch statistics act only then."""

    @property
    def frozen(self) -> bool:
        """Whether the layer is excluded from training, by its `trainable: false` or by `freeze`."""

    @property
    def masks(self) -> tuple[Value | None, ...]:
        """For each input a bool `(batch, time)`, false at the steps that are padding; None if there is none."""

    def give_mask(self, mask: Value | None) -> None:
        """Say which steps of the result are padding; for layers whose `mask_use` is `reads`."""

    def weight(
        self,
        name: str,
        shape: tuple[int, ...],
        initializer: Initializer,
        *,
        regularizer: Regularizer | None = None,
        constraint: Constraint | None = None,
        trainable: bool = True,
        learning_rate_multiplier: float = 1.0,
    ) -> Value:
        """The layer's weight `<layer>/<name>`; asked for twice, the same weight.

        `learning_rate_multiplier` is multiplied by that of the layer.
        """

    def assign(self, weight: Value, value: Value) -> None:
        """Give a non-trainable weight a new value at the end of the training step."""

    def carried(self, name: str, shape: tuple[int, ...]) -> Value:
        """What the same rows of the batch before have left, `(batch, *shape)`; zeros in the first batch of a pass."""

    def carry(self, name: str, value: Value) -> None:
        """Leave a value `(batch, …)` to the same rows of the next batch."""

    def expect_below(self, x: Value, bound: int) -> None:
        """Take x, whole numbers straight from an input, for 0 … bound - 1; data with others is refused when read.

        Stops with a config error if x is computed, so that its values cannot be known before.
        """

    def activate(self, activation: Activation, x: Value) -> Value:
        """Apply an activation and remember it, so that a loss can find the logits behind it."""

    def random_uniform(self, like: Value) -> Value:
        """Fresh numbers in [0, 1) of `like`'s shape, a function of (seed, layer, step, element) alone."""

    def add_loss(self, penalty: Value) -> None:
        """Add a scalar to the mean loss of the batch, in training and in evaluation."""

    def refuse(self, message: str, *, field: str | None = None, hint: str | None = None) -> NoReturn:
        """Stop with a config error placed at one of the layer's fields."""


class Layer(Part):
    """A function with weights. `name` defaults to `<type>_<n>`; `inputs` to the layer above."""

    input_count: ClassVar[tuple[int, int | None]] = (1, 1)
    """The fewest and the most inputs that the layer takes; None for any number."""

    mask_use: ClassVar[MaskUse] = "drops"
    """What becomes of masks. `keeps`: every step is treated alike, and what was padding stays so; `reads`: the layer
    reads `scope.masks` and gives one itself; `drops`: it takes padding for data, of which the user is warned."""

    name: str | None = Field(default=None, description="name of the layer; its weights are called <name>/<weight>")
    inputs: list[str] | None = Field(default=None, description="names of the layers whose outputs this one takes")
    trainable: bool = Field(default=True, description="false excludes the layer's weights from the update")
    learning_rate_multiplier: float = Field(
        default=1.0, ge=0, description="what the learning rate of the layer's weights is multiplied by"
    )
    activity_regularizer: RegularizerField | None = Field(
        default=None, description="penalty on the layer's output, divided by the number of rows in the batch"
    )

    def weight(
        self,
        scope: LayerScope,
        name: str,
        shape: tuple[int, ...],
        *,
        fields: str | None = None,
        initializer: Initializer | None = None,
    ) -> Value:
        """The layer's weight, made and kept as the fields `<name>_initializer`, `_regularizer` and `_constraint` say.

        `fields` is the name that the fields have where it is not the weight's; `initializer` stands for that field's.
        """
        named = fields or name
        return scope.weight(
            name,
            shape,
            initializer or getattr(self, f"{named}_initializer"),
            regularizer=getattr(self, f"{named}_regularizer"),
            constraint=getattr(self, f"{named}_constraint"),
        )

    def apply(self, scope: LayerScope, *inputs: Value) -> Value:
        """What `trace` writes, and the penalty on it that `activity_regularizer` asks for."""
        result = self.trace(scope, *inputs)
        if self.activity_regularizer is not None:
            misfit = self.activity_regularizer.misfit(result.shape)
            if result.dtype != "float":
                misfit = "the layer gives whole numbers, from which no gradient comes"
            if misfit is not None:
                scope.refuse(misfit, field="activity_regularizer")
            scope.add_loss(self.activity_regularizer.penalty(result) / result.graph.batch_size())
        return result

    @abstractmethod
    def trace(self, scope: LayerScope, *inputs: Value) -> Value:
        """Write the layer's IR. Inputs and the result are `(batch, …)`."""


LayerField: TypeAlias = Annotated[Layer, PartField(LAYERS)]
