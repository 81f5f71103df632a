"""Specificity at a given sensitivity: targets and probabilities in, the best specificity there out."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import Field

from trainer_cli.lazy import NDArray, np
from trainer_cli.parts.curve import ConstraintMetric


class SpecificityAtSensitivity(ConstraintMetric):
    """The largest specificity over all thresholds with a sensitivity of at least `sensitivity`; 0 if there is none."""

    sensitivity: float = Field(ge=0, le=1, description="the least sensitivity")

    def result(self, totals: Mapping[str, NDArray[np.float64]]) -> float:
        counts = self.counts(totals)
        return self.best(counts.recall, self.sensitivity, counts.specificity)
