"""Sparse top-k accuracy: class numbers and scores of classes in, how often the true class is among the best out."""

from __future__ import annotations

from trainer_cli.parts.metrics.top_k_categorical_accuracy import TopKCategoricalAccuracy


class SparseTopKCategoricalAccuracy(TopKCategoricalAccuracy):
    """The fraction of predictions in which fewer than `k` classes have a larger score than the true one, as
    `top_k_categorical_accuracy` has it."""
