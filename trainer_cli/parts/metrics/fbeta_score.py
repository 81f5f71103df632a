"""F-beta score: targets and a prediction in, a mean of precision and recall that weighs recall out."""

from __future__ import annotations

from pydantic import Field

from trainer_cli.parts.confusion import FScoreMetric, Totals

ALIASES = ("f_beta_score",)


class FbetaScore(FScoreMetric):
    """`(1 + β²)·TP / ((1 + β²)·TP + β²·FN + FP)`: recall counts β times as much as precision."""

    beta: float = Field(default=1.0, gt=0, description="how much recall counts beside precision")

    def result(self, totals: Totals) -> float:
        return self.score(totals, self.beta)
