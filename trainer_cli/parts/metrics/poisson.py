"""Poisson: counts and predicted rates in, the mean negative log-likelihood of the counts out."""

from __future__ import annotations

from trainer_cli.parts.loss_metric import LossMetric


class Poisson(LossMetric):
    """`mean(ŷ − y·log(ŷ + 1e-7))` over all samples and units."""
