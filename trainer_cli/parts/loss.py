"""The contract of a loss: targets and a prediction in, one number per sample and place out."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import Annotated, Any, ClassVar, Literal, NamedTuple, TypeAlias

from pydantic import Field, field_validator

from trainer_cli.ir.graph import Value
from trainer_cli.parts.activation import Activation
from trainer_cli.parts.families import LOSSES, PartField
from trainer_cli.parts.part import Part

TargetForm: TypeAlias = Literal["values", "labels", "one_hot", "binary"]
"""How a loss wants its targets: `values` as the prediction's shape, `labels` class numbers without the class axis,
`one_hot` class indicators in the prediction's shape, `binary` 0 or 1 in the prediction's shape."""

Reduction: TypeAlias = Literal["sum_over_batch_size", "mean", "sum", "mean_with_sample_weight"]

EPSILON = 1e-7
"""How far probabilities are kept from 0 and 1 before a logarithm is taken, as in Keras."""


class Prediction(NamedTuple):
    """An output of the model as losses and metrics see it.

    `value`: `(batch, …, classes)`; `activation`: the one that made it, None for unknown; `logits`: the value before it;
    `mask`: bool `(batch, …)`, false at places that are padding, None if there is none; `most_rows`: how many rows a
    batch has at most, None for unknown.
    """

    value: Value
    activation: Activation | None = None
    logits: Value | None = None
    mask: Value | None = None
    most_rows: int | None = None

    @property
    def activation_name(self) -> str | None:
        """The activation's type; None also for one along another axis than that of the classes."""
        if self.activation is None or getattr(self.activation, "axis", -1) not in (-1, self.value.rank - 1):
            return None
        return self.activation.type

    def logits_behind(self, activation: str, wanted: bool = True) -> Value | None:
        """The value before the activation if it is this one and known, and wanted, else None."""
        return self.logits if wanted and self.activation_name == activation else None


class Finding(NamedTuple):
    """Something about the pairing of loss and output: `impossible` is an error, `doubtful` a warning."""

    severity: Literal["impossible", "doubtful"]
    message: str
    hint: str | None = None


class Loss(Part):
    """A differentiable measure of error, the mean of which over samples and places is minimised."""

    target: ClassVar[TargetForm] = "values"

    relates_places: ClassVar[bool] = False
    """Whether a number is of several places or rows at once, as an overlap is. Such a loss gives `(batch, …)` of any
    further axes, and leaves out what the prediction's mask names itself."""

    aligned: ClassVar[bool] = True
    """Whether a place of the target belongs to the same place of the prediction, so that metrics can compare them."""

    reduction: Reduction = Field(
        default="sum_over_batch_size",
        description="how the numbers of a batch become one: `sum_over_batch_size` or `mean` divide their sum by how "
        "many there are, `mean_with_sample_weight` by the sum of their weights, `sum` by nothing",
    )

    @field_validator("reduction", mode="before")
    @classmethod
    def _one_number(cls, value: Any) -> Any:
        if value is None or value == "none":
            raise ValueError("what is minimised is one number, so that a loss needs a `reduction`: leave it out")
        return value

    def relates_rows(self, rank: int) -> bool:
        """Whether a number is of several rows of a batch at once, given how many axes the prediction has."""
        return False

    def target_row(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """The shape of an output's row that the targets are for, given that of the output itself; `()`: a row has one
        class, of any number of classes, whatever the output's units are."""
        return shape

    @property
    def ignored(self) -> int | None:
        """A class number that the loss leaves out, and which need not be one of the output's."""
        return None

    def counted(self, target: Value) -> Value | None:
        """1 at the places of a target `(batch, …)` that count, 0 at those that the loss leaves out; None: all count."""
        return None

    @abstractmethod
    def per_place(self, target: Value, prediction: Prediction) -> Value:
        """Write the loss's IR: `(batch, …)`, one number for every vector along the prediction's last axis.

        `target` is int for `labels` and float otherwise. The mean over places and samples, and leaving out those that
        a mask names, is not the loss's task, unless it `relates_places`.
        """

    def findings(self, prediction: Prediction) -> Sequence[Finding]:
        """What speaks against this loss on this output (activation, shape); empty if nothing."""
        return ()


LossField: TypeAlias = Annotated[Loss, PartField(LOSSES)]
