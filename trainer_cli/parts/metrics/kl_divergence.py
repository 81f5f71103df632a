"""Kullback–Leibler divergence: two distributions over classes in, its mean over the epoch out."""

from __future__ import annotations

from trainer_cli.parts.loss_metric import LossMetric

ALIASES = ("kld", "kullback_leibler_divergence")


class KlDivergence(LossMetric):
    """The mean of `Σ y·log(y / p)` over samples and places, y and p kept within [1e-7, 1]."""
