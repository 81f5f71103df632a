"""Average precision: targets and probabilities in, the precision averaged over the recall that it comes with out."""

from __future__ import annotations

from collections.abc import Mapping

from trainer_cli.lazy import NDArray, np
from trainer_cli.parts.curve import CurveMetric


class AveragePrecision(CurveMetric):
    """`Σ (Rₙ − Rₙ₋₁)·Pₙ` over all thresholds, of precision P and recall R, as in scikit-learn; not interpolated.

    Probabilities are sorted into bins between thresholds, so that it is exact where no bin holds two different ones.
    """

    @property
    def below_zero(self) -> bool:
        return True

    def result(self, totals: Mapping[str, NDArray[np.float64]]) -> float:
        counts = self.counts(totals)
        recall = counts.recall
        return float(((recall[:-1] - recall[1:]) * counts.precision[:-1]).sum())
