"""Tversky: memberships 0 or 1 and predicted ones in, 1 less their overlap beside weighted errors out."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import Field

from trainer_cli.ir.graph import Value
from trainer_cli.parts import agreement, overlap
from trainer_cli.parts.loss import EPSILON, Finding, Loss, Prediction
from trainer_cli.parts.part import IntegerList


class Tversky(Loss):
    """`1 − S / (S + α·F + β·M + 1e-7)` with the overlap `S = Σ y·p`, `F = Σ y·(1 − p)` and `M = Σ (1 − y)·p`.

    Target and prediction: `(batch, …)`. The sums are over the whole batch unless `axis` says otherwise, as with `dice`,
    which this is for α = β = 1/2. Salehi, Erdogmus and Gholipour, "Tversky loss function for image segmentation using
    3D fully convolutional deep networks", 2017; α weighs, as in Keras, what is missed, and β what is too much.
    """

    target = "binary"
    relates_places = True

    alpha: float = Field(default=0.5, ge=0, description="weight α of memberships that are missed")
    beta: float = Field(default=0.5, ge=0, description="weight β of memberships that are predicted and false")
    axis: int | IntegerList | None = Field(default=None, description="axes of the sums, batch included; default: all")

    def relates_rows(self, rank: int) -> bool:
        return overlap.over_rows(self.axis, rank)

    def per_place(self, target: Value, prediction: Prediction) -> Value:
        truth, found = overlap.masked(target, prediction)
        shared = overlap.summed(truth * found, self.axis)
        missed = overlap.summed(truth, self.axis) - shared
        false = overlap.summed(found, self.axis) - shared
        ratio = shared / (shared + missed * self.alpha + false * self.beta + EPSILON)
        return overlap.per_sample(1.0 - ratio, prediction)

    def findings(self, prediction: Prediction) -> Sequence[Finding]:
        found = overlap.misfit(self.type, self.axis, prediction) or agreement.with_one_unit(prediction)
        return found or agreement.with_parts_of_one(self.type, prediction)
