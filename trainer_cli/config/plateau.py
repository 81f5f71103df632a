"""The keys of `fit.reduce_learning_rate_on_plateau` in, a checked section out.

It is imported when a config has the section, and not before.
"""

from __future__ import annotations

from pydantic import Field

from trainer_cli.config.schema import MonitorMode, Section


class ReduceLearningRateOnPlateau(Section):
    """Multiplies the learning rate by a factor when the monitored value has stopped improving."""

    monitor: str = Field(default="val_loss", description="key of the monitored value, as in metrics.jsonl")
    factor: float = Field(default=0.1, gt=0, lt=1, description="what the learning rate is multiplied by")
    patience: int = Field(default=10, ge=0, description="epochs without improvement after which it is reduced")
    min_delta: float = Field(default=1e-4, ge=0, description="smallest change that counts as an improvement")
    cooldown: int = Field(default=0, ge=0, description="epochs behind a reduction that do not count as waiting")
    min_learning_rate: float = Field(default=0.0, ge=0, description="the learning rate is never reduced below this")
    mode: MonitorMode = Field(
        default="auto", description="whether smaller (min) or larger (max) values are better; auto asks the metric"
    )
