"""Matthews correlation: classes and their scores in, the correlation of found and true classes out."""

from __future__ import annotations

from collections.abc import Mapping

from trainer_cli.lazy import NDArray, np
from trainer_cli.parts.contingency import ContingencyMetric

ALIASES = ("mcc", "matthews_correlation_coefficient")


class MatthewsCorrelation(ContingencyMetric):
    """`(c·s − Σ pₖ·tₖ) / √((s² − Σ pₖ²)·(s² − Σ tₖ²))` over the epoch.

    There are s decisions, c of them right, class k being found pₖ and true tₖ times. It is 1 for perfect and 0 for
    arbitrary decisions, and where only one class is found or true. Gorodkin, "Comparing two K-category assignments by a
    K-category correlation coefficient", 2004.
    """

    def result(self, totals: Mapping[str, NDArray[np.float64]]) -> float:
        count, right, found, true = self.contingency(totals)
        spread = (count**2 - (found**2).sum()) * (count**2 - (true**2).sum())
        return float((right * count - (found * true).sum()) / np.sqrt(spread)) if spread > 0 else 0.0
