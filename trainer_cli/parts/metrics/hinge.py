"""Hinge: answers yes or no and scores in, the mean of what scores lack to the margin out."""

from __future__ import annotations

from trainer_cli.parts.loss_metric import LossMetric


class Hinge(LossMetric):
    """`mean(max(1 − y·ŷ, 0))` over all samples and units; targets 0 count as −1."""
