"""Cross-entropy: an output and a loss in, the cross-entropy that fits the two out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NoReturn

from trainer_cli.ir.graph import Value
from trainer_cli.lazy import NDArray, np
from trainer_cli.parts import agreement
from trainer_cli.parts.families import METRICS, read_part
from trainer_cli.parts.loss import Loss, Prediction, TargetForm
from trainer_cli.parts.metric import Metric

ALIASES = ("ce",)


class Crossentropy(Metric):
    """The mean cross-entropy: `binary_crossentropy` for one unit or a loss of answers yes or no,
    `sparse_categorical_crossentropy` for a loss of class numbers, `categorical_crossentropy` for any other.
    """

    direction = "min"

    def resolve(self, loss: Loss, prediction: Prediction) -> Metric:
        if agreement.units(prediction) == 1 or loss.target == "binary":
            kind = "binary_crossentropy"
        elif loss.target == "labels":
            kind = "sparse_categorical_crossentropy"
        else:
            kind = "categorical_crossentropy"
        metric = read_part(METRICS, {"type": kind, "name": self.name or self.type})
        assert isinstance(metric, Metric)
        return metric.resolve(loss, prediction)

    def statistics(
        self, target: Value, prediction: Prediction, form: TargetForm, weights: Value | None = None
    ) -> dict[str, Value]:
        self._unresolved()

    def result(self, totals: Mapping[str, NDArray[np.float64]]) -> float:
        self._unresolved()

    def _unresolved(self) -> NoReturn:
        raise TypeError("crossentropy only stands for another metric: `resolve` gives it")
