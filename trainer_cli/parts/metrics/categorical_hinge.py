"""Categorical hinge: classes and their scores in, the mean of what the true class lacks to the margin out."""

from __future__ import annotations

from trainer_cli.parts.loss_metric import LossMetric


class CategoricalHinge(LossMetric):
    """The mean of `max(max((1 − y)·ŷ) − Σ y·ŷ + 1, 0)` over samples and places."""
