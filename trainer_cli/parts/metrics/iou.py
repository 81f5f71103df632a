"""Intersection over union: classes and their scores in, the overlap of found and true places of some classes out."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import Field

from trainer_cli.lazy import NDArray, np
from trainer_cli.parts import agreement
from trainer_cli.parts.intersection import ClassIntersectionMetric, mean_over_union
from trainer_cli.parts.loss import Finding, Prediction, TargetForm
from trainer_cli.parts.part import IntegerList

ALIASES = ("io_u", "one_hot_io_u", "one_hot_iou")


class Iou(ClassIntersectionMetric):
    """`TP / (TP + FP + FN)` of the named classes, averaged over those that are found or true anywhere in the epoch."""

    target_class_ids: IntegerList = Field(description="the classes to measure", min_length=1)

    def findings(self, target: TargetForm, prediction: Prediction) -> tuple[Finding, ...]:
        units = agreement.units(prediction)
        wrong = [each for each in self.target_class_ids if not 0 <= each < units]
        if wrong and units > 1:
            message = f"`{self.type}` measures class {wrong[0]}, but the output's classes end at {units - 1}"
            return (Finding("impossible", message, "classes are counted from 0"),)
        return super().findings(target, prediction)

    def result(self, totals: Mapping[str, NDArray[np.float64]]) -> float:
        return mean_over_union(totals, self.target_class_ids)
