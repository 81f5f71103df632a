"""Metrics that stand for others: an output and a loss in, the metric that fits the two out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, NamedTuple, NoReturn

from trainer_cli.ir.graph import Value
from trainer_cli.lazy import NDArray, np
from trainer_cli.parts import agreement
from trainer_cli.parts.families import METRICS, read_part
from trainer_cli.parts.loss import Loss, Prediction, TargetForm
from trainer_cli.parts.metric import Metric


class Choice(NamedTuple):
    """Metrics by the form of answer: yes or no, a class number, any other."""

    binary: str
    labels: str
    other: str


class StandIn(Metric):
    """A name for several metrics, of which loss and output choose one."""

    choice: ClassVar[Choice]

    def resolve(self, loss: Loss, prediction: Prediction) -> Metric:
        if agreement.units(prediction) == 1 or loss.target == "binary":
            kind = self.choice.binary
        else:
            kind = self.choice.labels if loss.target == "labels" else self.choice.other
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
        raise TypeError(f"{self.type} only stands for another metric: `resolve` gives it")
