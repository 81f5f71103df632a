"""Sparse categorical cross-entropy: classes and probabilities (or logits) in, its mean over the epoch out."""

from __future__ import annotations

from pydantic import Field

from trainer_cli.parts.loss_metric import LossMetric

ALIASES = ("scce",)


class SparseCategoricalCrossentropy(LossMetric):
    """The mean of `−log p[y]` over samples and places, computed as the loss of this name is.

    Places of the `ignore_class` count in no mean, as in the loss; Keras's metric counts them as 0.
    """

    from_logits: bool | None = Field(
        default=None, description="the prediction is logits; as the loss has it if not given"
    )
    recover_logits: bool | None = Field(
        default=None, description="whether the logits behind a softmax are used; as the loss has it if not given"
    )
    ignore_class: int | None = Field(
        default=None, description="the class of places that are left out, such as what nobody has named"
    )
    axis: int = Field(default=-1, description="the axis of the classes: the last one, which -1 is")
