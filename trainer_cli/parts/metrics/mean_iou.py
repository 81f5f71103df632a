"""Mean intersection over union: classes and their scores in, the overlap of found and true places out."""

from __future__ import annotations

from collections.abc import Mapping

from trainer_cli.lazy import NDArray, np
from trainer_cli.parts.intersection import ClassIntersectionMetric, mean_over_union

ALIASES = ("mean_io_u", "one_hot_mean_io_u", "one_hot_mean_iou")


class MeanIou(ClassIntersectionMetric):
    """`TP / (TP + FP + FN)` of each class, averaged over those that are found or true anywhere in the epoch."""

    def result(self, totals: Mapping[str, NDArray[np.float64]]) -> float:
        return mean_over_union(totals)
