"""Cosine similarity: target and predicted vectors in, the mean cosine of the angle between them out."""

from __future__ import annotations

from pydantic import Field

from trainer_cli.ir.graph import Value
from trainer_cli.parts import agreement, formulas
from trainer_cli.parts.loss import Finding, Prediction, TargetForm
from trainer_cli.parts.mean_metric import MeanMetric
from trainer_cli.parts.metric import as_indicators

ALIASES = ("cosine", "cosine_proximity")


class CosineSimilarity(MeanMetric):
    """The mean of `Σ y·ŷ / (‖y‖·‖ŷ‖)` over samples and places: 1 for equal directions, where the loss has −1."""

    epsilon: float = Field(default=1e-14, gt=0, description="smallest squared norm that vectors are taken to have")
    axis: int = Field(default=-1, description="the axis of the vectors: the last one, which -1 is")

    def findings(self, target: TargetForm, prediction: Prediction) -> tuple[Finding, ...]:
        found = agreement.along_another_axis(self.type, self.axis, prediction)
        return tuple(found or agreement.with_directions(self.type, prediction))

    def each(self, target: Value, prediction: Prediction, form: TargetForm) -> Value:
        return formulas.cosine(as_indicators(target, prediction, form), prediction.value, self.epsilon)
