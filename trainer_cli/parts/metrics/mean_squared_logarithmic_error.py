"""Mean squared logarithmic error: amounts and predictions in, the mean square of their logarithms' difference out."""

from __future__ import annotations

from trainer_cli.parts.loss_metric import LossMetric

ALIASES = ("msle",)


class MeanSquaredLogarithmicError(LossMetric):
    """`mean((log(1 + y) − log(1 + ŷ))²)` over all samples and units, both taken as at least 1e-7."""
