"""Precision at a given recall: targets and probabilities in, the best precision with enough recall out."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import Field

from trainer_cli.lazy import NDArray, np
from trainer_cli.parts.curve import ConstraintMetric


class PrecisionAtRecall(ConstraintMetric):
    """The largest precision over all thresholds at which the recall is at least `recall`; 0 if there is none."""

    recall: float = Field(ge=0, le=1, description="the least recall")

    def result(self, totals: Mapping[str, NDArray[np.float64]]) -> float:
        counts = self.counts(totals)
        return self.best(counts.recall, self.recall, counts.precision)
