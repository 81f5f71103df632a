"""Root mean squared error: targets and predictions in, the root of the mean square of their difference out."""

from __future__ import annotations

from collections.abc import Mapping

from trainer_cli.lazy import NDArray, np
from trainer_cli.parts.metrics.mean_squared_error import MeanSquaredError

ALIASES = ("rmse",)


class RootMeanSquaredError(MeanSquaredError):
    """`√mean((y − ŷ)²)` over all samples and units; class numbers are compared as one-hot indicators."""

    def result(self, totals: Mapping[str, NDArray[np.float64]]) -> float:
        return float(np.sqrt(super().result(totals)))
