"""Plain values in, the validated Config out: what every section may hold, in pydantic models.

The models are few, because each costs about a millisecond at import. The descriptions are shown to users in error
messages and in the JSON Schema.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any, Literal, NamedTuple, TypeAlias

from pydantic import (
    BaseModel,
    ConfigDict,
    Discriminator,
    Field,
    ModelWrapValidatorHandler,
    Tag,
    field_validator,
    model_validator,
)

from trainer_cli.config.layers import all_names, inner_layers, layer_names
from trainer_cli.config.references import nearest
from trainer_cli.data.source import SourceField
from trainer_cli.parts.families import Refusal, SectionField, normal_keys, refusal
from trainer_cli.parts.layer import Layer, LayerField
from trainer_cli.parts.loss import Loss, LossField
from trainer_cli.parts.metric import Metric, MetricField
from trainer_cli.parts.numerics import Numerics, reading_as
from trainer_cli.parts.optimizer import Optimizer, OptimizerField

if TYPE_CHECKING:
    from trainer_cli.config.phase import Phase

MonitorMode: TypeAlias = Literal["auto", "min", "max"]


def _form(value: Any) -> str:
    """Whether a value is one part (or one list) or a mapping by output name; a part's mapping has a `type`."""
    return "(by output)" if isinstance(value, Mapping) and "type" not in value else "(single)"


LossChoice: TypeAlias = Annotated[
    Annotated[LossField, Tag("(single)")] | Annotated[dict[str, LossField], Tag("(by output)")], Discriminator(_form)
]
MAX_METRICS = 1_000
Metrics: TypeAlias = Annotated[list[MetricField], Field(max_length=MAX_METRICS)]
MetricsChoice: TypeAlias = Annotated[
    Annotated[Metrics, Tag("(single)")] | Annotated[dict[str, Metrics], Tag("(by output)")],
    Discriminator(_form),
]


def _weights_form(value: Any) -> str:
    """Whether weights are by class, which are numbers, or by output name."""
    below = value.values() if isinstance(value, Mapping) else ()
    by_output = any(isinstance(each, Mapping) or each == "balanced" for each in below)
    return "(by output)" if by_output else "(single)"


ClassWeight: TypeAlias = Literal["balanced"] | dict[str, Annotated[float, Field(ge=0)]]
ClassWeightChoice: TypeAlias = Annotated[
    Annotated[ClassWeight, Tag("(single)")] | Annotated[dict[str, ClassWeight], Tag("(by output)")],
    Discriminator(_weights_form),
]
CLASS_WEIGHT = "what the loss of a training row is multiplied by: balanced, or numbers by class; by output if several"


class Section(BaseModel):
    """A mapping of the config: unknown keys are refused, scalars are strict, camelCase keys are renamed."""

    # Validators are built when first used: most models are only inherited from, or part of another.
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False, defer_build=True)

    @model_validator(mode="before")
    @classmethod
    def _normal_keys(cls, value: Any) -> Any:
        return normal_keys(value, cls.model_fields) if isinstance(value, Mapping) else value


MAX_LAYERS = 5_000
MAX_PHASES = 1_000
"""More is a slip of the pen: a check shall not take longer than a second or two."""


class Architecture(Section):
    """The layers from input to output. A plain list stands for `{layers: [...]}`."""

    inputs: list[str] | None = Field(default=None, description="names of the model's inputs")
    layers: list[LayerField] = Field(
        min_length=1,
        max_length=MAX_LAYERS,
        description="the layers in order; a layer takes the one above it unless its `inputs` name others",
    )
    outputs: list[str] | None = Field(
        default=None, description="names of the layers that are the model's outputs; default: the last layer"
    )

    @model_validator(mode="before")
    @classmethod
    def _plain_list(cls, value: Any) -> Any:
        return {"layers": value} if isinstance(value, list) else value

    @model_validator(mode="after")
    def _layer_names_differ(self) -> Architecture:
        found = list(_refused_names(self.layers, ("layers",)))
        if found:
            raise refusal(found)
        return self


class EarlyStopping(Section):
    """Ends the training when the monitored value has stopped improving."""

    monitor: str = Field(default="val_loss", description="key of the monitored value, as in metrics.jsonl")
    patience: int = Field(default=0, ge=0, description="epochs without improvement after which training ends")
    min_delta: float = Field(default=0.0, ge=0, description="smallest change that counts as an improvement")
    mode: MonitorMode = Field(
        default="auto", description="whether smaller (min) or larger (max) values are better; auto asks the metric"
    )
    baseline: float | None = Field(default=None, description="value that must be beaten for an epoch to count at all")
    restore_best: bool = Field(default=False, description="end with the weights of the best epoch")
    start_from_epoch: int = Field(default=0, ge=0, description="epochs at the start that are not watched")


class Checkpoint(Section):
    """Which epochs are kept, and how often the run is saved; `last` and `best` are always kept."""

    monitor: str | None = Field(
        default=None, description="key of the monitored value; default: val_loss with validation data, otherwise loss"
    )
    mode: MonitorMode = Field(
        default="auto", description="whether smaller (min) or larger (max) values are better; auto asks the metric"
    )
    every_epochs: int | None = Field(
        default=None, gt=0, description="keep the state after every so many epochs too, as epoch-<n>.safetensors"
    )
    every_minutes: float | None = Field(
        default=None, gt=0, description="save so often within an epoch, as last.safetensors; default: 5"
    )
    keep: int | None = Field(
        default=None, gt=0, description="how many of the checkpoints of `every_epochs` are kept; default: all"
    )

    @model_validator(mode="after")
    def _something_to_keep(self) -> Checkpoint:
        if self.keep is not None and self.every_epochs is None:
            message = "`keep` counts the checkpoints of `every_epochs`, which is not given"
            raise refusal([Refusal("nothing_to_keep", message, "add `every_epochs`, or leave `keep` out", ("keep",))])
        return self


class Fit(Section):
    """How long and in which batches the model is trained."""

    epochs: int = Field(default=1, gt=0, description="passes over the training data")
    batch_size: int = Field(default=32, gt=0, description="rows per update of the weights")
    shuffle: bool = Field(default=True, description="visit the rows in a new order every epoch")
    early_stopping: EarlyStopping | None = Field(
        default=None, description="end the training when the monitored value has stopped improving"
    )
    reduce_learning_rate_on_plateau: (
        Annotated[Any, SectionField("config.plateau", "ReduceLearningRateOnPlateau")] | None
    ) = Field(default=None, description="lower the learning rate when the monitored value has stopped improving")
    checkpoint: Checkpoint = Field(default_factory=lambda: Checkpoint(), description="which epoch is kept as the best")


class Config(Section):
    """A training run: data, architecture, and how the one is fitted to the other."""

    name: str = Field(default="model", min_length=1, description="name of the run's folder; default: the file's name")
    seed: int = Field(default=0, ge=0, lt=2**32, description="start of all random numbers")
    data: SourceField | None = Field(default=None, description="the files that hold the rows, and how they are split")
    architecture: Architecture = Field(description="the layers, as a list or as {inputs, layers, outputs}")
    numerics: Numerics = Field(
        default="keras",
        description="whose defaults and formulas count where the two differ: Keras 3's or TF.js's",
    )
    optimizer: OptimizerField | None = Field(default=None, description="the rule that updates the weights")
    loss: LossChoice | None = Field(
        default=None, description="what training makes small: one loss, or losses by output name"
    )
    metrics: MetricsChoice = Field(
        default=[], description="what is measured besides the loss: a list, or lists by output name"
    )
    loss_weights: dict[str, float] | None = Field(
        default=None, description="factor of each output's loss in the sum, by output name"
    )
    class_weight: ClassWeightChoice | None = Field(default=None, description=CLASS_WEIGHT)
    freeze: list[str] = Field(default=[], description="names of the layers that are not trained")
    log: list[Literal["tensorboard", "mlflow"]] = Field(
        default=[], description="where the numbers of every epoch go besides the run directory's own files"
    )
    fit: Fit = Field(default_factory=lambda: Fit(), description="how long and in which batches the model is trained")
    phases: list[Annotated[Any, SectionField("config.phase", "Phase")]] = Field(
        default=[],
        max_length=MAX_PHASES,
        description="trainings one after the other, with their own optimizer, loss, … each",
    )

    @model_validator(mode="wrap")
    @classmethod
    def _with_defaults(cls, value: Any, handler: ModelWrapValidatorHandler[Config]) -> Config:
        chosen: Numerics = "tfjs" if isinstance(value, Mapping) and value.get("numerics") == "tfjs" else "keras"
        with reading_as(chosen):
            return handler(value)

    @field_validator("name")
    @classmethod
    def _names_a_folder(cls, name: str) -> str:
        if name in (".", "..") or any(character in name for character in "/\\\0"):
            raise refusal([Refusal("name_refused", f"`{name}` cannot name the run's folder", "leave out `/` and `\\`")])
        return name

    @model_validator(mode="after")
    def _names_exist(self) -> Config:
        names = list(all_names(self.architecture.layers))
        found = list(_refused_freezes(("freeze",), self.freeze, names))
        seen: dict[str, int] = {}
        for index, phase in enumerate(self.phases):
            found += _refused_freezes(("phases", index, "freeze"), phase.freeze or (), names)
            first = seen.setdefault(phase_name(phase, index), index)
            if first != index:
                message = f"phases {first + 1} and {index + 1} are both called `{phase_name(phase, index)}`"
                found.append(Refusal("phase_named_twice", message, where=("phases", index, "name")))
        if found:
            raise refusal(found)
        return self


def _refused_names(layers: Sequence[Layer], path: tuple[str | int, ...]) -> Iterator[Refusal]:
    first: dict[str, int] = {}
    for index, (layer, name) in enumerate(zip(layers, layer_names(layers), strict=True)):
        where = (*path, index) if layer.name is None else (*path, index, "name")
        if not name or "/" in name or not name.isprintable() or name != name.strip():
            yield Refusal(
                "layer_name_refused",
                f"`{name}` cannot be a layer's name",
                "letters, digits, `_`, `-` and `.` are fine; `/` separates a layer from its weights",
                where,
            )
        if first.setdefault(name, index) != index:
            yield Refusal(
                "layer_named_twice",
                f"two layers are called `{name}`: architecture[{first[name]}] and architecture[{index}]"
                if len(path) == 1
                else f"two layers of a block are called `{name}`",
                "give one of them another `name`",
                where,
            )
        yield from _refused_names(inner_layers(layer), (*path, index, "layers"))


def _refused_freezes(where: tuple[str | int, ...], freeze: Sequence[str], names: Sequence[str]) -> Iterator[Refusal]:
    for index, name in enumerate(freeze):
        if name not in names:
            near = nearest(name, names)
            hint = f"did you mean `{near}`?" if near else f"layers: {', '.join(names[:20])}"
            yield Refusal("layer_unknown", f"no layer is called `{name}`", hint, (*where, index))


class PhaseSettings(NamedTuple):
    """Everything that one phase trains with, the phase's own keys already taken in."""

    position: int
    name: str
    optimizer: Optimizer | None
    loss: Loss | dict[str, Loss] | None
    metrics: list[Metric] | dict[str, list[Metric]]
    loss_weights: dict[str, float] | None
    class_weight: ClassWeight | dict[str, ClassWeight] | None
    freeze: tuple[str, ...]
    fit: Fit


def phase_count(config: Config) -> int:
    """The number of phases; a config without `phases` has one."""
    return len(config.phases) or 1


def phase_name(phase: Phase | None, index: int) -> str:
    return phase.name if phase is not None and phase.name is not None else f"phase_{index + 1}"


def phase_settings(config: Config, index: int) -> PhaseSettings:
    """What phase `index` (from 0) trains with: its own keys, and the config's where it has none.

    `fit` is replaced key by key; all else is replaced whole.
    """
    if not 0 <= index < phase_count(config):
        raise IndexError(f"the config has {phase_count(config)} phases, there is no phase {index}")
    settings = PhaseSettings(
        position=index,
        name=phase_name(config.phases[index] if config.phases else None, index),
        optimizer=config.optimizer,
        loss=config.loss,
        metrics=config.metrics,
        loss_weights=config.loss_weights,
        class_weight=config.class_weight,
        freeze=tuple(config.freeze),
        fit=config.fit,
    )
    return config.phases[index].replaced_in(settings) if config.phases else settings


def total_epochs(config: Config) -> int:
    """The epochs of all phases together."""
    return sum(phase_settings(config, index).fit.epochs for index in range(phase_count(config)))
