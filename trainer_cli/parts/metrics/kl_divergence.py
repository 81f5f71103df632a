"""Kullback–Leibler divergence: two distributions over classes in, its mean over the epoch out."""

from __future__ import annotations

from pydantic import Field

from trainer_cli.parts.loss_metric import LossMetric

ALIASES = ("kld", "kullback_leibler_divergence")


class KlDivergence(LossMetric):
    """The mean of `Σ y·log(y / p)` over samples and places, y and p kept within [1e-7, 1]."""

    recover_logits: bool = Field(
        default=True, description="whether the logits behind a softmax are used instead of its probabilities"
    )
    clip_factor: bool = Field(default=True, description="whether y is at least 1e-7 outside of the logarithm too")
