"""Cross-entropy: an output and a loss in, the cross-entropy that fits the two out."""

from __future__ import annotations

from trainer_cli.parts.stand_in import Choice, StandIn

ALIASES = ("ce",)


class Crossentropy(StandIn):
    """The mean cross-entropy: `binary_crossentropy` for one unit or a loss of answers yes or no,
    `sparse_categorical_crossentropy` for a loss of class numbers, `categorical_crossentropy` for any other.
    """

    direction = "min"

    choice = Choice("binary_crossentropy", "sparse_categorical_crossentropy", "categorical_crossentropy")
