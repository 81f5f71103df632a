"""Intersections of classes: targets and a prediction in, sums for intersection over union out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeAlias

from pydantic import Field

from trainer_cli.ir import language as ir
from trainer_cli.ir.graph import Value
from trainer_cli.lazy import NDArray, np
from trainer_cli.parts import agreement
from trainer_cli.parts.confusion import by_class, quotient
from trainer_cli.parts.loss import Finding, Prediction, TargetForm
from trainer_cli.parts.metric import Metric, class_findings, true_class

Totals: TypeAlias = "Mapping[str, NDArray[np.float64]]"


class ClassIntersectionMetric(Metric):
    """Intersection over union of classes of which one is right at every place."""

    num_classes: int | None = Field(default=None, ge=2, description="number of classes; the output's if not given")
    ignore_class: int | None = Field(default=None, description="a true class whose places are left out")

    def findings(self, target: TargetForm, prediction: Prediction) -> tuple[Finding, ...]:
        if found := class_findings(self.type, target, prediction):
            return found
        units = agreement.units(prediction)
        if self.num_classes not in (None, units):
            message = f"`{self.type}` is given {self.num_classes} classes, but the output has {units}"
            return (Finding("impossible", message, "leave `num_classes` out"),)
        return ()

    def statistics(
        self, target: Value, prediction: Prediction, form: TargetForm, weights: Value | None = None
    ) -> dict[str, Value]:
        classes, labels = agreement.units(prediction), true_class(target, form)
        found, true = ir.one_hot(ir.argmax(prediction.value), classes), ir.one_hot(labels, classes)
        if self.ignore_class is not None:
            counted = ir.cast(ir.not_equal(labels, self.ignore_class), "float")
            weights = counted if weights is None else weights * counted
        return sums(found, true, weights)


def sums(found: Value, true: Value, weights: Value | None) -> dict[str, Value]:
    """How often each class is found, is true, and is both: two `(batch, …, classes)` of 0 and 1."""
    return {
        "intersection": by_class(found * true, weights),
        "found": by_class(found, weights),
        "true": by_class(true, weights),
    }


def mean_over_union(totals: Totals, classes: Sequence[int] | None = None) -> float:
    """The mean over those of the classes (None: all) that are found or true anywhere; 0 if none is."""
    shared = totals["intersection"]
    union = totals["found"] + totals["true"] - shared
    if classes is not None:
        shared, union = shared[list(classes)], union[list(classes)]
    present = union > 0
    return float(quotient(shared, union)[present].mean()) if present.any() else 0.0
