"""Binary cross-entropy: targets 0 or 1 and probabilities (or logits) in, its mean over the epoch out."""

from __future__ import annotations

from pydantic import Field

from trainer_cli.parts.loss_metric import LossMetric

ALIASES = ("bce",)


class BinaryCrossentropy(LossMetric):
    """`−mean(y·log p + (1 − y)·log(1 − p))` over all samples and units, computed as the loss of this name is."""

    from_logits: bool | None = Field(
        default=None, description="the prediction is logits; as the loss has it if not given"
    )
    recover_logits: bool | None = Field(
        default=None, description="whether the logits behind a sigmoid are used; as the loss has it if not given"
    )
    label_smoothing: float = Field(default=0.0, ge=0, le=1, description="how far targets move towards 1/2")
