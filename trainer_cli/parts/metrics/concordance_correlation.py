"""Concordance correlation: targets and predictions in, how near they are to lying on the diagonal out."""

from __future__ import annotations

from trainer_cli.ir.graph import Value
from trainer_cli.lazy import NDArray, np
from trainer_cli.parts.correlation import CorrelationMetric, Moments


class ConcordanceCorrelation(CorrelationMetric):
    """`2·cov(y, ŷ) / (σ²(y) + σ²(ŷ) + (ȳ − mean ŷ)²)`; 0 where one of them never changes.

    Lin, "A concordance correlation coefficient to evaluate reproducibility", 1989.
    """

    def of_epoch(self, moments: Moments) -> NDArray[np.float64]:
        return np.asarray(2.0 * moments.together / (moments.target + moments.prediction + moments.shift))

    def of_vectors(self, target: Value, prediction: Value, together: Value, shift: Value) -> Value:
        return together * 2.0 / (target + prediction + shift)
