"""Pearson correlation: targets and predictions in, how near they are to lying on a rising line out."""

from __future__ import annotations

from trainer_cli.ir import language as ir
from trainer_cli.ir.graph import Value
from trainer_cli.lazy import NDArray, np
from trainer_cli.parts.correlation import CorrelationMetric, Moments

ALIASES = ("pearson",)


class PearsonCorrelation(CorrelationMetric):
    """`cov(y, ŷ) / (σ(y)·σ(ŷ))`; 0 where one of them never changes."""

    def of_epoch(self, moments: Moments) -> NDArray[np.float64]:
        return np.asarray(moments.together / np.sqrt(moments.target * moments.prediction))

    def of_vectors(self, target: Value, prediction: Value, together: Value, shift: Value) -> Value:
        return together / (ir.sqrt(target) * ir.sqrt(prediction))
