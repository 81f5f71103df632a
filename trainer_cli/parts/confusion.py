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


class DecisionMetric(Metric):
    """What all metrics share that count decisions: where the prediction says yes, and where the truth does."""

    class_id: int | None = Field(default=None, ge=0, description="the one class to measure")
    from_logits: bool | None = Field(
        default=None, description="the prediction is logits; as the loss has it if not given"
    )

    @property
    def cut(self) -> float | None:
        """The probability above which a unit counts as positive, where the config gives it."""
        return None

    def resolve(self, loss: Loss, prediction: Prediction) -> Metric:
        return follows_logits(self, loss)

    def decides_for_one(self, form: TargetForm, units: int) -> bool:
        """Whether the class with the largest score is the one decision of a place."""
        return form in ("labels", "one_hot") and units > 1

    def findings(self, target: TargetForm, prediction: Prediction) -> tuple[Finding, ...]:
        units = agreement.units(prediction)
        if target == "values":
            message = f"`{self.type}` counts right and wrong classes, but the loss has targets of any value"
            return (Finding("impossible", message, "use a cross-entropy loss, or `mean_absolute_error` as metric"),)
        if self.class_id is not None and self.class_id >= units:
            message = f"`{self.type}` measures class {self.class_id}, but the output's classes end at {units - 1}"
            return (Finding("impossible", message, "classes are counted from 0"),)
        return ()

    def decisions(self, target: Value, prediction: Prediction, form: TargetForm) -> tuple[Value, Value]:
        """What is predicted and what is true, as 0 and 1 in the prediction's shape."""
        score, units = prediction.value, agreement.units(prediction)
        truth = ir.one_hot(target, units) if form == "labels" else target
        if self.decides_for_one(form, units):
            return ir.one_hot(ir.argmax(score), units), truth
        cut = 0.5 if self.cut is None else self.cut
        if form in ("labels", "one_hot") and units > 1 and self.from_logits:
            return ir.cast(above(ir.softmax(score), cut, from_logits=False), "float"), truth
        return ir.cast(above(score, cut, self.from_logits), "float"), truth


class ThresholdMetric(DecisionMetric):
    """Decisions of each unit by itself: whether it exceeds `thresholds`.

    Where the units are classes of which one is right (a loss of class numbers or one-hot targets) and `class_id` is
    given, the decision is for the class with the largest score instead.
    """

    thresholds: float = Field(default=0.5, ge=0, le=1, description="probability above which a unit counts as positive")

    @property
    def cut(self) -> float | None:
        return self.thresholds

    @property
    def by_classes(self) -> bool:
        """Whether the config asks for classes rather than pairs of sample and class."""
        return self.class_id is not None

    def decides_for_one(self, form: TargetForm, units: int) -> bool:
        return super().decides_for_one(form, units) and self.by_classes

    def findings(self, target: TargetForm, prediction: Prediction) -> tuple[Finding, ...]:
        if found := super().findings(target, prediction):
            return found
        if self.decides_for_one(target, agreement.units(prediction)) and self.thresholds != 0.5:
            message = f"`{self.type}` decides for the class with the largest score here, so `thresholds` has no effect"
            return (Finding("doubtful", message, "leave out `thresholds`, or both `class_id` and `average`"),)
        return ()


class CountMetric(ThresholdMetric):
    """A number of decisions over the epoch: of all units, or of class `class_id`."""

    def result(self, totals: Totals) -> float:
        counts = totals["count"]
        return float(counts.sum() if self.class_id is None else counts[self.class_id])


class ConfusionMetric(ThresholdMetric):
    """What `precision` and `recall` share: which decisions are counted, and how classes are averaged.

    A prediction decides for each unit by itself whether it exceeds `thresholds`. Where the units are classes of which
    one is right (a loss of class numbers or one-hot targets) and `class_id` or `average` is given, it decides for the
    class with the largest score instead. Without them every pair of sample and class counts alike, as in Keras.
    """

    average: Literal["micro", "macro"] | None = Field(
        default=None, description="`macro` is the mean over the classes, `micro` counts all decisions together"
    )
    top_k: int | None = Field(
        default=None,
        gt=0,
        description="a prediction decides for its k largest scores, and of these, if `thresholds` is given, for those "
        "above it",
    )

    @model_validator(mode="after")
    def _one_class_or_all(self) -> Self:
        if self.class_id is not None and self.average is not None:
            raise ValueError("`class_id` measures one class and `average` all of them: give one of the two")
        return self

    @property
    def by_classes(self) -> bool:
        return self.class_id is not None or self.average is not None

    def decides_for_one(self, form: TargetForm, units: int) -> bool:
        return self.top_k is None and super().decides_for_one(form, units)

    def decisions(self, target: Value, prediction: Prediction, form: TargetForm) -> tuple[Value, Value]:
        predicted, truth = super().decisions(target, prediction, form)
        if self.top_k is None:
            return predicted, truth
        best = formulas.best(prediction.value, self.top_k)
        return best * predicted if "thresholds" in self.model_fields_set else best, truth

    def findings(self, target: TargetForm, prediction: Prediction) -> tuple[Finding, ...]:
        found = super().findings(target, prediction)
        if self.top_k is not None and self.top_k > agreement.units(prediction):
            message = f"`{self.type}` decides for the best {self.top_k} of {agreement.units(prediction)} units"
            return (Finding("impossible", message, "give a smaller `top_k`"),)
        if self.average is not None and agreement.units(prediction) == 1 and not found:
            message = f"`{self.type}` averages over classes, but the output has one unit"
            return (Finding("impossible", message, "leave `average` out"),)
        return found

    def ratio(self, right: NDArray[np.float64], wrong: NDArray[np.float64]) -> float:
        """`right / (right + wrong)` from totals by class; 0 for a class of which there is none."""
        if self.class_id is not None:
            right, wrong = right[self.class_id], wrong[self.class_id]
        elif self.average != "macro":
            right, wrong = right.sum(), wrong.sum()
        return float(np.mean(quotient(right, right + wrong)))


class FScoreMetric(DecisionMetric):
    """What `f1_score` and `fbeta_score` share.

    Where the units are classes of which one is right (a loss of class numbers or one-hot targets) and `threshold` is
    not given, a prediction decides for the class with the largest score; otherwise each unit for itself, at 1/2 unless
    `threshold` says otherwise. A score without any yes, true or predicted, is 0.
    """

    average: Literal["micro", "macro", "weighted"] = Field(
        default="macro",
        description="`macro`: the mean over the classes; `weighted`: that by the classes' frequency; "
        "`micro`: all decisions together",
    )
    threshold: float | None = Field(
        default=None, gt=0, le=1, description="probability above which a unit counts as positive"
    )

    @property
    def cut(self) -> float | None:
        return self.threshold

    def decides_for_one(self, form: TargetForm, units: int) -> bool:
        return super().decides_for_one(form, units) and self.threshold is None

    def statistics(
        self, target: Value, prediction: Prediction, form: TargetForm, weights: Value | None = None
    ) -> dict[str, Value]:
        predicted, truth = self.decisions(target, prediction, form)
        return {
            "true_positives": by_class(predicted * truth, weights),
            "predicted": by_class(predicted, weights),
            "true": by_class(truth, weights),
        }

    def score(self, totals: Totals, beta: float) -> float:
        """`(1 + β²)·TP / (predicted + β²·true)` from the totals, averaged as the config says."""
        right, predicted, true = totals["true_positives"], totals["predicted"], totals["true"]
        if self.class_id is not None:
            right, predicted, true = right[self.class_id], predicted[self.class_id], true[self.class_id]
        elif self.average == "micro":
            right, predicted, true = right.sum(), predicted.sum(), true.sum()
        scores = quotient((1.0 + beta**2) * right, predicted + beta**2 * true)
        if self.average == "weighted" and self.class_id is None:
            return float(quotient((scores * true).sum(), true.sum()))
        return float(np.mean(scores))


def quotient(numerator: NDArray[np.float64], denominator: NDArray[np.float64]) -> NDArray[np.float64]:
    """`numerator / denominator`, 0 where the denominator is 0."""
    whole = np.asarray(denominator, np.float64)
    return np.where(whole != 0, numerator / np.where(whole != 0, whole, 1.0), 0.0)


def by_class(x: Value, weights: Value | None) -> Value:
    """The weighted sum over everything but the classes: `(batch, …, classes)` → `(classes,)`."""
    return ir.reduce_sum(x if weights is None else x * formulas.over_places(weights, x), range(x.rank - 1))
