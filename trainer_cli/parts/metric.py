"""The contract of a metric: targets and a prediction in, sums per batch out, and a number from the epoch's totals."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Mapping
from typing import Annotated, ClassVar, Literal, TypeAlias

from pydantic import Field

from trainer_cli.ir import language as ir
from trainer_cli.ir.graph import BATCH, Value
from trainer_cli.lazy import NDArray, np
from trainer_cli.parts.families import METRICS, PartField
from trainer_cli.parts.formulas import over_places
from trainer_cli.parts.loss import Finding, Loss, Prediction, TargetForm
from trainer_cli.parts.part import Part


class Metric(Part):
    """A streaming measure over an epoch: statistics are summed over all samples, then turned into one number.

    `direction` says whether larger or smaller values are better, for early stopping and the best checkpoint.
    """

    direction: ClassVar[Literal["max", "min"]] = "max"

    name: str | None = Field(default=None, description="key of the metric in tables and files")
    weighted: bool = Field(
        default=False, description="whether rows count by their sample weights and, in training, class weights"
    )

    def resolve(self, loss: Loss, prediction: Prediction) -> Metric:
        """The metric to compute, given loss and output; every metric is resolved before its other methods are called.

        `accuracy` stands for one of three; a metric that thresholds probabilities learns whether it is given logits.
        The key of the metric stays that of the one in the config.
        """
        return self

    def findings(self, target: TargetForm, prediction: Prediction) -> tuple[Finding, ...]:
        """What speaks against this metric on this output and form of target; empty if nothing."""
        return ()

    @abstractmethod
    def statistics(
        self, target: Value, prediction: Prediction, form: TargetForm, weights: Value | None = None
    ) -> dict[str, Value]:
        """Write the IR of sums over the batch: float values without a batch axis, added up over the epoch.

        `form` is the form of `target`, as the loss defines it. `weights` say how much each place counts: float, of the
        prediction's shape without the last axis; None: all places count 1.
        """

    @abstractmethod
    def result(self, totals: Mapping[str, NDArray[np.float64]]) -> float:
        """The metric's value from the epoch's totals of its statistics."""


def mean_statistics(x: Value, weights: Value | None) -> dict[str, Value]:
    """The sums of a mean over everything: x `(batch, …)`, weights in the shape that x's begins with."""
    if weights is None:
        count = ir.batch_size(x.graph) * float(math.prod(int(extent) for extent in x.shape[1:]))
        return {"total": ir.reduce_sum(x), "count": count}
    each = float(math.prod(int(extent) for extent in x.shape[weights.rank :]))
    return {"total": ir.reduce_sum(x * over_places(weights, x)), "count": ir.reduce_sum(weights) * each}


def fraction(totals: Mapping[str, NDArray[np.float64]]) -> float:
    """The mean over the epoch from the totals of `mean_statistics`; 0 for an epoch without samples."""
    count = float(totals["count"])
    return float(totals["total"]) / count if count else 0.0


def follows_logits(metric: Metric, loss: Loss) -> Metric:
    """The metric with its field `from_logits` as the loss has it, unless the config gave the field."""
    if getattr(metric, "from_logits") is not None:  # noqa: B009
        return metric
    return metric.model_copy(update={"from_logits": bool(getattr(loss, "from_logits", False))})


def above(score: Value, threshold: float, from_logits: bool | None) -> Value:
    """Where a probability, or the probability behind a logit, exceeds a threshold."""
    if from_logits:
        # sigmoid(z) > t is the same as z > logit(t). Sigmoids lie inside (0, 1): all exceed 0 and none exceeds 1.
        if threshold in (0.0, 1.0):
            return ir.equal(ir.zeros_like(score), threshold)
        threshold = math.log(threshold) - math.log1p(-threshold)
    return ir.greater(score, threshold)


def true_class(target: Value, form: TargetForm) -> Value:
    """The class numbers behind targets: `labels` as they are, otherwise the index of the largest indicator."""
    return target if form == "labels" else ir.argmax(target)


def as_indicators(target: Value, prediction: Prediction, form: TargetForm) -> Value:
    """Targets in the prediction's shape: class numbers become one-hot indicators."""
    return ir.one_hot(target, int(prediction.value.shape[-1])) if form == "labels" else target


def class_findings(metric: str, target: TargetForm, prediction: Prediction) -> tuple[Finding, ...]:
    """What speaks against a metric that compares the best class with the true one."""
    if prediction.value.shape[-1] in (1, BATCH):
        message = f"`{metric}` compares classes, but the output has one unit"
        return (Finding("impossible", message, "use `binary_accuracy`, or `accuracy`, which chooses"),)
    if target == "binary":
        message = f"`{metric}` needs one true class per sample, but every unit is a yes or no of its own"
        return (Finding("impossible", message, "use `binary_accuracy`, or `accuracy`, which chooses"),)
    if target == "values":
        message = f"`{metric}` takes the largest target as the true class, but the loss has targets of any value"
        return (Finding("doubtful", message, "right only for targets that are indicators of classes"),)
    return ()


MetricField: TypeAlias = Annotated[Metric, PartField(METRICS)]
