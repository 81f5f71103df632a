"""Recall at a given precision: targets and probabilities in, the best recall with enough precision out."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import Field

from trainer_cli.lazy import NDArray, np
from trainer_cli.parts.curve import ConstraintMetric


class RecallAtPrecision(ConstraintMetric):
    """The largest recall over all thresholds at which the precision is at least `precision`; 0 if there is none."""

    precision: float = Field(ge=0, le=1, description="the least precision")

    def result(self, totals: Mapping[str, NDArray[np.float64]]) -> float:
        counts = self.counts(totals)
        return self.best(counts.precision, self.precision, counts.recall)
