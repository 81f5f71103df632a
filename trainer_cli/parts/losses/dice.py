"""Dice: memberships 0 or 1 and predicted ones in, 1 less the share of their overlap out."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import Field

from trainer_cli.ir.graph import Value
from trainer_cli.parts import agreement, overlap
from trainer_cli.parts.loss import EPSILON, Finding, Loss, Prediction
from trainer_cli.parts.part import IntegerList


class Dice(Loss):
    """`1 − 2·Σ y·p / (Σ y + Σ p + 1e-7)`, the sums over `axis`; target and prediction: `(batch, …)`.

    As in Keras the sums are over the whole batch unless `axis` says otherwise: `[1, 2, 3]` compares each image of
    `(batch, height, width, classes)` by itself, `[0, 1, 2]` each class.
    Milletari, Navab and Ahmadi, "V-Net", 2016.
    """

    target = "binary"
    relates_places = True

    axis: int | IntegerList | None = Field(default=None, description="axes of the sums, batch included; default: all")

    def relates_rows(self, rank: int) -> bool:
        return overlap.over_rows(self.axis, rank)

    def per_place(self, target: Value, prediction: Prediction) -> Value:
        truth, found = overlap.masked(target, prediction)
        shared = overlap.summed(truth * found, self.axis)
        both = overlap.summed(truth, self.axis) + overlap.summed(found, self.axis)
        return overlap.per_sample(1.0 - shared * 2.0 / (both + EPSILON), prediction)

    def findings(self, prediction: Prediction) -> Sequence[Finding]:
        found = overlap.misfit(self.type, self.axis, prediction) or agreement.with_one_unit(prediction)
        return found or agreement.with_parts_of_one(self.type, prediction)
