"""Area under a curve: targets and probabilities in, how well they are ordered at all thresholds together out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, Self

from pydantic import Field, model_validator

from trainer_cli.lazy import NDArray, np
from trainer_cli.parts import agreement
from trainer_cli.parts.confusion import quotient
from trainer_cli.parts.curve import Counts, CurveMetric
from trainer_cli.parts.loss import Finding, Prediction, TargetForm
from trainer_cli.parts.part import FloatList


class Auc(CurveMetric):
    """The area under the curve of true over false positive rates (ROC), or of precision over recall (PR).

    Probabilities are sorted into bins between thresholds, as in Keras, so that the area is that of the binned
    probabilities: more thresholds bring it nearer to the exact one, which it is where no bin holds two different
    probabilities. Every pair of sample and unit counts alike; with `multi_label` the areas of the units are averaged.
    Precision between thresholds is interpolated as Davis and Goadrich do ("The relationship between precision-recall
    and ROC curves", 2006).
    """

    curve: Literal["ROC", "PR"] = Field(default="ROC", description="which curve")
    summation_method: Literal["interpolation", "minoring", "majoring"] = Field(
        default="interpolation", description="height between two thresholds: the mean, the smaller or the larger one"
    )
    thresholds: FloatList | None = Field(default=None, description="thresholds between 0 and 1 instead of even ones")
    multi_label: bool = Field(default=False, description="average the areas of the units")
    label_weights: FloatList | None = Field(default=None, description="weight of each unit's area in the average")

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.thresholds is not None and not all(0.0 <= each <= 1.0 for each in self.thresholds):
            raise ValueError("`thresholds` are probabilities from 0 to 1")
        if self.label_weights is not None and not self.multi_label:
            raise ValueError("`label_weights` weigh the areas of `multi_label: true`")
        if self.class_id is not None and self.multi_label:
            raise ValueError("`class_id` measures one unit and `multi_label` all of them: give one of the two")
        return self

    @property
    def inner_thresholds(self) -> tuple[float, ...] | None:
        return None if self.thresholds is None else tuple(sorted(self.thresholds))

    @property
    def below_zero(self) -> bool:
        return True

    @property
    def separate(self) -> bool:
        return self.multi_label

    def findings(self, target: TargetForm, prediction: Prediction) -> tuple[Finding, ...]:
        units = agreement.units(prediction)
        if self.label_weights is not None and len(self.label_weights) != units:
            message = (
                f"`label_weights` of `{self.type}` are {len(self.label_weights)}, but the output has {units} units"
            )
            return (Finding("impossible", message, "give one weight per unit"),)
        return super().findings(target, prediction)

    def result(self, totals: Mapping[str, NDArray[np.float64]]) -> float:
        counts = self.counts(totals)
        if self.curve == "PR" and self.summation_method == "interpolation":
            areas = _interpolated(counts)
        else:
            areas = self._summed(counts)
        return float(np.average(areas, weights=self.label_weights) if self.multi_label else areas)

    def _summed(self, counts: Counts) -> NDArray[np.float64]:
        if self.curve == "ROC":
            x = quotient(counts.false_positives, counts.false_positives + counts.true_negatives)
            y = counts.recall
        else:
            x, y = counts.recall, counts.precision
        if self.summation_method == "interpolation":
            heights = (y[:-1] + y[1:]) / 2.0
        else:
            heights = (np.minimum if self.summation_method == "minoring" else np.maximum)(y[:-1], y[1:])
        return np.asarray(((x[:-1] - x[1:]) * heights).sum(0))


def _interpolated(counts: Counts) -> NDArray[np.float64]:
    """The area under precision over recall, true positives between two thresholds growing with all positives."""
    right = counts.true_positives
    found = right + counts.false_positives
    gained = right[:-1] - right[1:]
    slope = quotient(gained, found[:-1] - found[1:])
    intercept = right[1:] - slope * found[1:]
    both = (found[:-1] > 0) & (found[1:] > 0)
    ratio = np.where(both, quotient(found[:-1], found[1:]), 1.0)
    steps = quotient(slope * (gained + intercept * np.log(ratio)), right[1:] + counts.false_negatives[1:])
    return np.asarray(steps.sum(0))
