"""Huber: targets and predictions in, the mean of a square for small and a distance for large differences out."""

from __future__ import annotations

from pydantic import Field

from trainer_cli.parts.loss_metric import LossMetric


class Huber(LossMetric):
    """`mean(e²/2 where |e| ≤ δ, else δ·|e| − δ²/2)` of the errors `e = ŷ − y` over all samples and units."""

    delta: float = Field(default=1.0, gt=0, description="where the measure changes from a square to a distance")
