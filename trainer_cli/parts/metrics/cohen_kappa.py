"""Cohen's kappa: classes and their scores in, the agreement of found and true classes beyond chance out."""

from __future__ import annotations

from collections.abc import Mapping

from trainer_cli.lazy import NDArray, np
from trainer_cli.parts.contingency import ContingencyMetric


class CohenKappa(ContingencyMetric):
    """`(a − e) / (1 − e)` of the accuracy a and that expected by chance, `e = Σ pₖ·tₖ / s²`; 0 where e is 1.

    Class k is found pₖ times and true tₖ times in s decisions. Cohen, "A coefficient of agreement for nominal scales",
    1960.
    """

    def result(self, totals: Mapping[str, NDArray[np.float64]]) -> float:
        count, right, found, true = self.contingency(totals)
        if not count:
            return 0.0
        chance = float((found * true).sum()) / count**2
        return (right / count - chance) / (1.0 - chance) if chance < 1.0 else 0.0
