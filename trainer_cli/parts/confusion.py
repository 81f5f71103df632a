"""Counts of right and wrong decisions by class: targets and a prediction in, sums for precision and recall out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, Self, TypeAlias

from pydantic import Field, model_validator

from trainer_cli.ir import language as ir
from trainer_cli.ir.graph import Value
from trainer_cli.lazy import NDArray, np
from trainer_cli.parts import agreement, formulas
from trainer_cli.parts.loss import Finding, Loss, Prediction, TargetForm
from trainer_cli.parts.metric import Metric, above, follows_logits

Totals: TypeAlias = "Mapping[str, NDArray[np.float64]]"


class ConfusionMetric(Metric):
    """What `precision` and `recall` share: which decisions are counted, and how classes are averaged.

    A prediction decides for each unit by itself whether it exceeds `thresholds`. Where the units are classes of which
    one is right (a loss of class numbers or one-hot targets) and `class_id` or `average` is given, it decides for the
    class with the largest score instead. Without them every pair of sample and class counts alike, as in Keras.
    """

    thresholds: float = Field(default=0.5, ge=0, le=1, description="probability above which a unit counts as positive")
    class_id: int | None = Field(default=None, ge=0, description="the one class to measure")
    average: Literal["micro", "macro"] | None = Field(
        default=None, description="`macro` is the mean over the classes, `micro` counts all decisions together"
    )
    from_logits: bool | None = Field(
        default=None, description="the prediction is logits; as the loss has it if not given"
    )

    @model_validator(mode="after")
    def _one_class_or_all(self) -> Self:
        if self.class_id is not None and self.average is not None:
            raise ValueError("`class_id` measures one class and `average` all of them: give one of the two")
        return self

    def resolve(self, loss: Loss, prediction: Prediction) -> Metric:
        return follows_logits(self, loss)

    def findings(self, target: TargetForm, prediction: Prediction) -> tuple[Finding, ...]:
        units = agreement.units(prediction)
        if target == "values":
            message = f"`{self.type}` counts right and wrong classes, but the loss has targets of any value"
            return (Finding("impossible", message, "use a cross-entropy loss, or `mean_absolute_error` as metric"),)
        if self.class_id is not None and self.class_id >= units:
            message = f"`{self.type}` measures class {self.class_id}, but the output's classes end at {units - 1}"
            return (Finding("impossible", message, "classes are counted from 0"),)
        if self.average is not None and units == 1:
            message = f"`{self.type}` averages over classes, but the output has one unit"
            return (Finding("impossible", message, "leave `average` out"),)
        if self._decides_for_one(target, units) and self.thresholds != 0.5:
            message = f"`{self.type}` decides for the class with the largest score here, so `thresholds` has no effect"
            return (Finding("doubtful", message, "leave out `thresholds`, or both `class_id` and `average`"),)
        return ()

    def _decides_for_one(self, form: TargetForm, units: int) -> bool:
        chosen = self.class_id is not None or self.average is not None
        return form in ("labels", "one_hot") and units > 1 and chosen

    def decisions(self, target: Value, prediction: Prediction, form: TargetForm) -> tuple[Value, Value]:
        """What is predicted and what is true, as 0 and 1 in the prediction's shape."""
        score, units = prediction.value, agreement.units(prediction)
        truth = ir.one_hot(target, units) if form == "labels" else target
        if self._decides_for_one(form, units):
            return ir.one_hot(ir.argmax(score), units), truth
        if form in ("labels", "one_hot") and units > 1 and self.from_logits:
            return ir.cast(above(formulas.softmax(score), self.thresholds, from_logits=False), "float"), truth
        return ir.cast(above(score, self.thresholds, self.from_logits), "float"), truth

    def ratio(self, right: NDArray[np.float64], wrong: NDArray[np.float64]) -> float:
        """`right / (right + wrong)` from totals by class; 0 for a class of which there is none."""
        if self.class_id is not None:
            right, wrong = right[self.class_id], wrong[self.class_id]
        elif self.average != "macro":
            right, wrong = right.sum(), wrong.sum()
        count = np.asarray(right + wrong)
        return float(np.mean(np.where(count > 0, right / np.where(count > 0, count, 1.0), 0.0)))


def by_class(x: Value, weights: Value | None) -> Value:
    """The weighted sum over everything but the classes: `(batch, …, classes)` → `(classes,)`."""
    return ir.reduce_sum(x if weights is None else x * formulas.over_places(weights, x), range(x.rank - 1))
