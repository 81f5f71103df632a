"""Accuracy: an output and a loss in, the accuracy that fits the two out."""

from __future__ import annotations

from trainer_cli.parts.stand_in import Choice, StandIn

ALIASES = ("acc",)


class Accuracy(StandIn):
    """The fraction of correct predictions: `binary_accuracy` for one unit or `binary_crossentropy`,
    `sparse_categorical_accuracy` for a loss of class numbers, `categorical_accuracy` for any other.
    """

    choice = Choice("binary_accuracy", "sparse_categorical_accuracy", "categorical_accuracy")
