"""Mean absolute percentage error: targets and predictions in, the mean of their distance in percent out."""

from __future__ import annotations

from trainer_cli.parts.loss_metric import LossMetric

ALIASES = ("mape",)


class MeanAbsolutePercentageError(LossMetric):
    """`100 · mean(|y − ŷ| / max(|y|, 1e-7))` over all samples and units."""
