"""The keys of an entry of `phases` in, a checked section out, and what it replaces of the settings of a training.

It is imported when a config has phases, and not before.
"""

from __future__ import annotations

from pydantic import Field

from trainer_cli.config.schema import ClassWeightChoice, Fit, LossChoice, MetricsChoice, PhaseSettings, Section
from trainer_cli.parts.optimizer import OptimizerField


class Phase(Section):
    """A stretch of training: what is given here replaces the key of the same name above, for this phase alone."""

    name: str | None = Field(default=None, min_length=1, description="name of the phase; default: phase_1, phase_2, …")
    optimizer: OptimizerField | None = Field(default=None, description="the optimizer of this phase")
    loss: LossChoice | None = Field(default=None, description="the loss of this phase, or losses by output name")
    metrics: MetricsChoice | None = Field(
        default=None, description="the metrics of this phase, or lists of metrics by output name"
    )
    class_weight: ClassWeightChoice | None = Field(
        default=None, description="the class weights of this phase; an empty mapping for none"
    )
    freeze: list[str] | None = Field(default=None, description="names of the layers that this phase does not train")
    fit: Fit | None = Field(default=None, description="keys that replace those of the top-level `fit`")

    def replaced_in(self, settings: PhaseSettings) -> PhaseSettings:
        """The settings with the phase's own keys: `fit` is replaced key by key, all else whole."""
        own = {key: getattr(self, key) for key in ("optimizer", "loss", "metrics", "class_weight")}
        given = {key: value for key, value in own.items() if value is not None}
        if self.freeze is not None:
            given["freeze"] = tuple(self.freeze)
        if self.fit is not None:
            fit = {key: getattr(self.fit, key) for key in self.fit.model_fields_set}
            given["fit"] = settings.fit.model_copy(update=fit)
        return settings._replace(**given)
