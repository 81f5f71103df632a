"""The contract of a metric: targets and a prediction in, sums per batch out, and a number from the epoch's totals."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import Annotated, ClassVar, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from trainer_cli.ir.graph import Value
from trainer_cli.parts.families import METRICS, PartField
from trainer_cli.parts.loss import Finding, Loss, Prediction, TargetForm
from trainer_cli.parts.part import Part


class Metric(Part):
    """A streaming measure over an epoch: statistics are summed over all samples, then turned into one number.

    `direction` says whether larger or smaller values are better, for early stopping and the best checkpoint.
    """

    direction: ClassVar[Literal["max", "min"]] = "max"

    name: str | None = Field(default=None, description="key of the metric in tables and files")

    def resolve(self, loss: Loss, prediction: Prediction) -> Metric:
        """The metric that this one stands for, given loss and output (`accuracy` stands for one of three)."""
        return self

    def findings(self, target: TargetForm, prediction: Prediction) -> tuple[Finding, ...]:
        """What speaks against this metric on this output and form of target; empty if nothing."""
        return ()

    @abstractmethod
    def statistics(self, target: Value, prediction: Prediction, form: TargetForm) -> dict[str, Value]:
        """Write the IR of sums over the batch: float values without a batch axis, added up over the epoch.

        `form` is the form of `target`, as the loss defines it.
        """

    @abstractmethod
    def result(self, totals: Mapping[str, NDArray[np.float64]]) -> float:
        """The metric's value from the epoch's totals of its statistics."""


MetricField: TypeAlias = Annotated[Metric, PartField(METRICS)]
