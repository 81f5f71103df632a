"""Sparse categorical accuracy: class numbers and scores of classes in, the fraction whose best class is right out."""

from __future__ import annotations

from trainer_cli.parts.metrics.categorical_accuracy import CategoricalAccuracy


class SparseCategoricalAccuracy(CategoricalAccuracy):
    """The fraction of predictions whose largest score is the target's class, as `categorical_accuracy` has it."""
