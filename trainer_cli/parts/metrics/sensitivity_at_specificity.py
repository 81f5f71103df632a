"""Sensitivity at a given specificity: targets and probabilities in, the best sensitivity there out."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import Field

from trainer_cli.lazy import NDArray, np
from trainer_cli.parts.curve import ConstraintMetric


class SensitivityAtSpecificity(ConstraintMetric):
    """The largest sensitivity over all thresholds with a specificity of at least `specificity`; 0 if there is none."""

    specificity: float = Field(ge=0, le=1, description="the least specificity")

    def result(self, totals: Mapping[str, NDArray[np.float64]]) -> float:
        counts = self.counts(totals)
        return self.best(counts.specificity, self.specificity, counts.recall)
