"""Cosine similarity: target and predicted vectors in, the negative cosine of the angle between them out."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import Field

from trainer_cli.ir.graph import Value
from trainer_cli.parts import agreement, formulas
from trainer_cli.parts.loss import Finding, Loss, Prediction

ALIASES = ("cosine_proximity",)


class CosineSimilarity(Loss):
    """`−Σ y·ŷ / (‖y‖·‖ŷ‖)` over the last axis: −1 for equal directions, 1 for opposite ones.

    Target and prediction: `(batch, …, features)`. Norms are taken as at least 1e-7, so that vectors of zeros give 0.
    """

    epsilon: float = Field(default=1e-14, gt=0, description="smallest squared norm that vectors are taken to have")
    axis: int = Field(default=-1, description="the axis of the vectors: the last one, which -1 is")

    def per_place(self, target: Value, prediction: Prediction) -> Value:
        return -formulas.cosine(target, prediction.value, self.epsilon)

    def findings(self, prediction: Prediction) -> Sequence[Finding]:
        if found := agreement.along_another_axis(self.type, self.axis, prediction):
            return found
        return agreement.with_one_unit(prediction) or agreement.with_directions(self.type, prediction)
