"""F1 score: targets and a prediction in, the harmonic mean of precision and recall out."""

from __future__ import annotations

from trainer_cli.parts.confusion import FScoreMetric, Totals

ALIASES = ("f1",)


class F1Score(FScoreMetric):
    """`2·TP / (2·TP + FP + FN)`, the harmonic mean of precision and recall."""

    def result(self, totals: Totals) -> float:
        return self.score(totals, 1.0)
