"""Categorical cross-entropy: classes and probabilities (or logits) in, its mean over the epoch out."""

from __future__ import annotations

from pydantic import Field

from trainer_cli.parts.loss_metric import LossMetric

ALIASES = ("cce",)


class CategoricalCrossentropy(LossMetric):
    """The mean of `−Σ y·log p` over samples and places, computed as the loss of this name is."""

    from_logits: bool | None = Field(
        default=None, description="the prediction is logits; as the loss has it if not given"
    )
    recover_logits: bool | None = Field(
        default=None, description="whether the logits behind a softmax are used; as the loss has it if not given"
    )
    label_smoothing: float = Field(default=0.0, ge=0, le=1, description="how far targets move towards 1/classes")
    axis: int = Field(default=-1, description="the axis of the classes: the last one, which -1 is")
