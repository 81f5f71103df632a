"""The way of the last output into the next step: numbers and choices from a config in, a layer's arguments out."""

from __future__ import annotations

from pydantic import Field

from trainer_cli.parts.constraint import ConstraintField
from trainer_cli.parts.initializer import InitializerField
from trainer_cli.parts.layer import Layer
from trainer_cli.parts.regularizer import RegularizerField


class OverTime(Layer):
    """A layer that takes the steps of a sequence one after the other."""

    return_sequences: bool = Field(default=False, description="whether the outputs of all steps are returned")
    go_backwards: bool = Field(
        default=False, description="whether the last step comes first; a returned sequence begins with it"
    )
    stateful: bool = Field(
        default=False,
        description="whether the rows of a batch go on from the same rows of the batch before; needs `shuffle: false`",
    )


class Recurring(OverTime):
    """A layer that reads its own last output at every step, through a kernel of its own."""

    recurrent_initializer: InitializerField = Field(
        default="orthogonal", validate_default=True, description="first values of the recurrent kernel"
    )
    recurrent_regularizer: RegularizerField | None = Field(default=None, description="penalty on the recurrent kernel")
    recurrent_constraint: ConstraintField | None = Field(
        default=None, description="projection of the updated recurrent kernel"
    )
    dropout: float = Field(
        default=0.0, ge=0, lt=1, description="fraction of the inputs dropped in training, the same ones at every step"
    )
    recurrent_dropout: float = Field(
        default=0.0,
        ge=0,
        lt=1,
        description="fraction of the last outputs dropped in training where they are read, the same ones at every step",
    )
