"""Decisions at many thresholds: targets and a prediction in, counts of right and wrong ones at every threshold out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple, TypeAlias

from pydantic import Field

from trainer_cli.ir import language as ir
from trainer_cli.ir.graph import Value
from trainer_cli.lazy import NDArray, np
from trainer_cli.parts import agreement, formulas
from trainer_cli.parts.confusion import quotient
from trainer_cli.parts.loss import Finding, Loss, Prediction, TargetForm
from trainer_cli.parts.metric import Metric, follows_logits

Totals: TypeAlias = "Mapping[str, NDArray[np.float64]]"


class Counts(NamedTuple):
    """Decisions for yes and no at every threshold, from the lowest: `(thresholds,)`, or `(thresholds, labels)`."""

    true_positives: NDArray[np.float64]
    false_positives: NDArray[np.float64]
    true_negatives: NDArray[np.float64]
    false_negatives: NDArray[np.float64]

    @property
    def recall(self) -> NDArray[np.float64]:
        """The share of the true that is found; also called sensitivity."""
        return quotient(self.true_positives, self.true_positives + self.false_negatives)

    @property
    def precision(self) -> NDArray[np.float64]:
        """The share of what is found that is true."""
        return quotient(self.true_positives, self.true_positives + self.false_positives)

    @property
    def specificity(self) -> NDArray[np.float64]:
        """The share of the false that is left alone."""
        return quotient(self.true_negatives, self.true_negatives + self.false_positives)


class CurveMetric(Metric):
    """What metrics share that look at all thresholds of a probability.

    Probabilities are sorted into bins between `num_thresholds` thresholds, evenly from 0 to 1, whose counts are summed
    over the epoch; a unit is positive where its probability exceeds a threshold. As in Keras every pair of sample and
    unit counts alike, unless `class_id` names one unit.
    """

    num_thresholds: int = Field(default=200, ge=2, description="number of thresholds, evenly from 0 to 1")
    class_id: int | None = Field(default=None, ge=0, description="the one class to measure")
    from_logits: bool | None = Field(
        default=None, description="the prediction is logits; as the loss has it if not given"
    )

    @property
    def inner_thresholds(self) -> tuple[float, ...] | None:
        """The thresholds between 0 and 1 that the config gives, in order; None: they are even."""
        return None

    @property
    def below_zero(self) -> bool:
        """Whether the lowest threshold is below 0, so that everything exceeds it, or 0 itself."""
        return False

    @property
    def separate(self) -> bool:
        """Whether every unit has counts of its own."""
        return False

    @property
    def bins(self) -> int:
        inner = self.inner_thresholds
        return self.num_thresholds if inner is None else len(inner) + 2

    def resolve(self, loss: Loss, prediction: Prediction) -> Metric:
        return follows_logits(self, loss)

    def findings(self, target: TargetForm, prediction: Prediction) -> tuple[Finding, ...]:
        units = agreement.units(prediction)
        if target == "values":
            message = f"`{self.type}` measures answers yes or no, but the loss has targets of any value"
            return (Finding("impossible", message, "use a cross-entropy loss, or `mean_absolute_error` as metric"),)
        if self.class_id is not None and self.class_id >= units:
            message = f"`{self.type}` measures class {self.class_id}, but the output's classes end at {units - 1}"
            return (Finding("impossible", message, "classes are counted from 0"),)
        return ()

    def statistics(
        self, target: Value, prediction: Prediction, form: TargetForm, weights: Value | None = None
    ) -> dict[str, Value]:
        chance, truth = self._chances(target, prediction, form)
        if self.class_id is not None:
            starts, stops = [0] * chance.rank, list(chance.shape)
            starts[-1], stops[-1] = self.class_id, self.class_id + 1
            chance, truth = ir.slice_(chance, starts, stops), ir.slice_(truth, starts, stops)
        place, size = self._bin(chance), self.bins
        if self.separate:
            place, size = place + ir.iota(place, -1) * self.bins, self.bins * int(chance.shape[-1])
        counted = ir.ones_like(truth) if weights is None else formulas.over_places(weights, truth)
        return {
            "positives": _summed(place, truth * counted, size),
            "negatives": _summed(place, (1.0 - truth) * counted, size),
        }

    def _chances(self, target: Value, prediction: Prediction, form: TargetForm) -> tuple[Value, Value]:
        score, units = prediction.value, agreement.units(prediction)
        truth = ir.one_hot(target, units) if form == "labels" else target
        if self.from_logits:
            exclusive = form in ("labels", "one_hot") and units > 1
            score = ir.softmax(score) if exclusive else ir.logistic(score)
        return score, ir.cast(ir.greater(truth, 0.0), "float")

    def _bin(self, chance: Value) -> Value:
        """How many thresholds a probability exceeds; what is no number exceeds none but one below 0."""
        inner = self.inner_thresholds
        if inner is None:
            # Comparisons, because a NaN must not become an index.
            chance = ir.select(ir.greater(chance, 0.0), chance, 0.0)
            chance = ir.select(ir.less(chance, 1.0), chance, 1.0)
            exceeded = -ir.floor(chance * -float(self.bins - 1))
            if self.below_zero:
                exceeded = ir.maximum(exceeded, 1.0)
        else:
            exceeded = ir.ones_like(chance)
            for threshold in inner:
                exceeded = exceeded + ir.cast(ir.greater(chance, threshold), "float")
        return ir.cast(exceeded, "int")

    def counts(self, totals: Totals) -> Counts:
        """The decisions at every threshold from the epoch's totals."""
        shape = (-1, self.bins) if self.separate else (self.bins,)
        positives, negatives = (totals[name].reshape(shape).T for name in ("positives", "negatives"))
        # Bin b holds what exceeds the thresholds before b.
        right, wrong = (np.cumsum(each[::-1], axis=0)[::-1] - each for each in (positives, negatives))
        return Counts(right, wrong, negatives.sum(0) - wrong, positives.sum(0) - right)


def _summed(place: Value, amount: Value, size: int) -> Value:
    """The sum of amounts by place: two `(batch, …)` → `(size,)`."""
    rows = ir.scatter_add(place, ir.reshape(amount, (*amount.shape, 1)), size)
    return ir.reshape(rows, (size,))


class ConstraintMetric(CurveMetric):
    """The best value of one measure over all thresholds at which another is large enough; 0 if there is none."""

    def best(self, constrained: NDArray[np.float64], least: float, wanted: NDArray[np.float64]) -> float:
        """The largest wanted value where the constrained one is at least this."""
        return float(np.max(np.where(constrained >= least, wanted, 0.0), initial=0.0))
