"""Cosine similarity: target and predicted vectors in, the mean cosine of the angle between them out."""

from __future__ import annotations

from collections.abc import Mapping

from trainer_cli.ir.graph import Value
from trainer_cli.lazy import NDArray, np
from trainer_cli.parts import agreement, formulas
from trainer_cli.parts.loss import Finding, Prediction, TargetForm
from trainer_cli.parts.metric import Metric, as_indicators, fraction, mean_statistics

ALIASES = ("cosine", "cosine_proximity")


class CosineSimilarity(Metric):
    """The mean of `Σ y·ŷ / (‖y‖·‖ŷ‖)` over samples and places: 1 for equal directions, where the loss has −1."""

    def findings(self, target: TargetForm, prediction: Prediction) -> tuple[Finding, ...]:
        return tuple(agreement.with_directions(self.type, prediction))

    def statistics(
        self, target: Value, prediction: Prediction, form: TargetForm, weights: Value | None = None
    ) -> dict[str, Value]:
        return mean_statistics(formulas.cosine(as_indicators(target, prediction, form), prediction.value), weights)

    def result(self, totals: Mapping[str, NDArray[np.float64]]) -> float:
        return fraction(totals)
