"""Log-cosh error: targets and predictions in, the mean of the logarithm of their difference's cosh out."""

from __future__ import annotations

from trainer_cli.parts.loss_metric import LossMetric

ALIASES = ("logcosh", "log_cosh")


class LogCoshError(LossMetric):
    """`mean(log cosh(ŷ − y))` over all samples and units."""

    measured = "log_cosh"
