"""Programs: a config, the signature of its input and a phase in, the graphs of training, evaluation and prediction out.

Building a program touches no weights and no data. It is what every target compiles.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from trainer_cli.compiler.bind import LOSS_TOTAL, TARGET, BoundMetric, bind
from trainer_cli.compiler.trace import INPUT, InputSpec, LayerRow, WeightSpec, as_stored, trace
from trainer_cli.compiler.update import SlotSpec, Update, write_updates
from trainer_cli.config.schema import Config, PhaseSettings, phase_settings
from trainer_cli.errors import ConfigError, Problem
from trainer_cli.ir.graph import Graph
from trainer_cli.ir.random import RandomStream
from trainer_cli.lazy import NDArray, np
from trainer_cli.parts.loss import Loss, TargetForm
from trainer_cli.parts.metric import Metric
from trainer_cli.parts.optimizer import Optimizer

__all__ = ["INPUT", "LOSS_TOTAL", "TARGET", "InputSpec", "Program", "build_program"]

PREDICTION = "prediction"


@dataclass(eq=False, repr=False)
class Program:
    """A compiled model, independent of any target.

    `predict` maps `input` to the output `prediction`. `evaluate` and `train` (None while optimizer or loss is
    missing) give totals: sums over the batch by name. `train` also gives the next value of weights and slots.
    `tokens` names the inputs of whole numbers, and what their values must stay below if a layer says so.
    """

    input: InputSpec
    output_shape: tuple[int, ...]
    layers: list[LayerRow]
    weights: dict[str, WeightSpec]
    predict: Graph
    evaluate: Graph | None = None
    train: Graph | None = None
    slots: dict[str, SlotSpec] = field(default_factory=dict)
    hyperparameters: dict[str, float] = field(default_factory=dict)
    metrics: list[BoundMetric] = field(default_factory=list)
    optimizer: Optimizer | None = None
    loss: Loss | None = None
    output_activation: str | None = None
    tokens: dict[str, int | None] = field(default_factory=dict)
    warnings: list[Problem] = field(default_factory=list)

    @property
    def trainable(self) -> bool:
        """Whether the model is compiled: an optimizer and a loss are bound to it."""
        return self.train is not None

    @property
    def target_form(self) -> TargetForm | None:
        return None if self.loss is None else self.loss.target

    @property
    def parameters(self) -> int:
        return sum(spec.size for spec in self.weights.values())

    @property
    def trainable_weights(self) -> list[str]:
        return [name for name, spec in self.weights.items() if spec.trainable]

    def totals(self) -> dict[str, tuple[int, ...]]:
        """The shapes of the totals by name."""
        graph = self.evaluate
        if graph is None:
            return {}
        return {name: tuple(map(int, value.shape)) for name, value in graph.outputs.items()}

    def initial_state(self, seed: int) -> dict[str, NDArray[np.float32]]:
        """First values of all weights and slots; each weight draws from a stream of its own."""
        state: dict[str, NDArray[np.float32]] = {}
        for name, spec in self.weights.items():
            values = spec.initializer.values(spec.shape, RandomStream(seed, "initialize", name))
            state[name] = np.ascontiguousarray(values, dtype=np.float32).reshape(spec.shape)
        return {**state, **self.initial_slots()}

    def initial_slots(self) -> dict[str, NDArray[np.float32]]:
        """First values of the optimizer's slots."""
        return {name: np.full(slot.shape, slot.initial, dtype=np.float32) for name, slot in self.slots.items()}

    def results(self, totals: Mapping[str, NDArray[np.float64]], rows: int) -> dict[str, float]:
        """The epoch's loss and metrics by key, from the totals over its rows."""
        results = {LOSS_TOTAL: float(totals[LOSS_TOTAL]) / rows if rows else math.nan}
        for bound in self.metrics:
            own = {statistic: totals[name] for statistic, name in bound.totals.items()}
            results[bound.key] = float(bound.metric.result(own))
        return results


def build_program(config: Config, input_spec: InputSpec, *, phase: int = 0) -> Program:
    """Compile a config for one phase. Without optimizer or loss the program can predict and nothing else.

    Raises ConfigError for shapes that do not fit, impossible pairings and what is not supported.
    """
    settings = phase_settings(config, phase)
    architecture = config.architecture
    input_spec = as_stored(architecture, input_spec)
    inference = trace(architecture, input_spec, training=False, freeze=settings.freeze)
    inference.graph.outputs[PREDICTION] = inference.prediction.value
    output_shape = tuple(int(extent) for extent in inference.prediction.value.shape[1:])
    program = Program(input_spec, output_shape, inference.layers, inference.weights, inference.graph)
    program.output_activation = inference.prediction.activation_name
    if input_spec.dtype == "int32":
        program.tokens[INPUT] = inference.bounds.get(INPUT)
    if settings.loss is None:
        return program
    loss, metrics = _single(settings)
    program.loss = loss

    evaluation = trace(architecture, input_spec, training=False, freeze=settings.freeze)
    bound = bind(evaluation, loss, metrics)
    evaluation.graph.outputs.update(bound.totals)
    program.evaluate, program.metrics, program.warnings = evaluation.graph, bound.metrics, bound.warnings
    if settings.optimizer is None:
        return program
    if not program.trainable_weights:
        raise ConfigError([Problem("nothing to train: every weight is frozen or there is none", ("architecture",))])

    training = trace(architecture, input_spec, training=True, freeze=settings.freeze)
    bound = bind(training, loss, metrics)
    training.graph.outputs.update(bound.totals)
    update: Update = write_updates(training.graph, bound.mean_loss, training.weights, settings.optimizer)
    training.graph.updates.update(training.updates)
    program.train, program.slots = training.graph, update.slots
    program.hyperparameters, program.optimizer = update.hyperparameters, settings.optimizer
    return program


def _single(settings: PhaseSettings) -> tuple[Loss, list[Metric]]:
    """The loss and metrics of the one output. Raises ConfigError for settings by output name."""
    problems = []
    if isinstance(settings.loss, dict):
        problems.append(Problem("a loss by output name is not supported yet: the model has one output", ("loss",)))
    if isinstance(settings.metrics, dict):
        problems.append(Problem("metrics by output name are not supported yet: give a list", ("metrics",)))
    if settings.loss_weights is not None:
        problems.append(Problem("`loss_weights` is not supported yet: the model has one output", ("loss_weights",)))
    if problems or settings.loss is None or isinstance(settings.loss, dict) or isinstance(settings.metrics, dict):
        raise ConfigError(problems)
    return settings.loss, list(settings.metrics)
