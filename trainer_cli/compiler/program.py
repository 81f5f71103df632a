"""Programs: a config, the signatures of its inputs and a phase in, the graphs of training, evaluation, prediction out.

Building a program touches no weights and no data. It is what every target compiles.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

from trainer_cli.compiler.bind import LOSS_TOTAL, TARGET, BoundMetric, Objective, Path, bind, target_leaf
from trainer_cli.compiler.trace import (
    InputSpec,
    LayerRow,
    Trace,
    WeightSpec,
    as_stored,
    input_leaf,
    nodes_of,
    trace,
)
from trainer_cli.compiler.update import SlotSpec, Update, write_updates
from trainer_cli.compiler.weighting import class_weights
from trainer_cli.config.schema import Config, PhaseSettings, phase_settings
from trainer_cli.data.source import INPUT, SAMPLE_WEIGHT, class_weight_name
from trainer_cli.data.target_scaling import TargetScaling
from trainer_cli.data.weighting import ClassWeights
from trainer_cli.errors import ConfigError, Problem
from trainer_cli.ir.graph import Graph
from trainer_cli.ir.random import RandomStream
from trainer_cli.lazy import NDArray, np
from trainer_cli.parts.loss import Loss
from trainer_cli.parts.metric import Metric
from trainer_cli.parts.numerics import PENALTIES_IN_EVALUATION
from trainer_cli.parts.optimizer import Optimizer

if TYPE_CHECKING:
    from trainer_cli.data.targets import TargetSpec

__all__ = ["INPUT", "LOSS_TOTAL", "PREDICTION", "TARGET", "InputSpec", "Output", "Program", "build_program"]

PREDICTION = "prediction"
"""The name of the output of a model that has one; the outputs of others are called after their layers."""


class Output(NamedTuple):
    """An output of the model: the shape of a row, its activation, its loss, and the name of its target in the data.

    `loss` and `target` are None where nothing is asked of the output. `class_weight` says how much rows count by their
    class in training, with its place in the config.
    """

    shape: tuple[int, ...]
    activation: str | None
    loss: Loss | None = None
    target: str | None = None
    class_weight: tuple[ClassWeights, Path] | None = None


@dataclass(eq=False, repr=False)
class Program:
    """A compiled model, independent of any target.

    `inputs` and `outputs` are the model's by name; models with one each call them `input` and `prediction`. `predict`
    has the outputs' values by these names. `evaluate` and `train` (None while optimizer or loss is missing) give sums
    over the batch by name. `train` also gives the next value of weights and slots. `tokens` names the inputs of whole
    numbers, and what their values must stay below if a layer says so.
    """

    inputs: dict[str, InputSpec]
    outputs: dict[str, Output]
    layers: list[LayerRow]
    weights: dict[str, WeightSpec]
    predict: Graph
    evaluate: Graph | None = None
    train: Graph | None = None
    slots: dict[str, SlotSpec] = field(default_factory=dict)
    hyperparameters: dict[str, float] = field(default_factory=dict)
    losses: dict[str, str] = field(default_factory=dict)
    metrics: list[BoundMetric] = field(default_factory=list)
    optimizer: Optimizer | None = None
    tokens: dict[str, int | None] = field(default_factory=dict)
    warnings: list[Problem] = field(default_factory=list)

    @property
    def trainable(self) -> bool:
        """Whether the model is compiled: an optimizer and a loss are bound to it."""
        return self.train is not None

    @property
    def targets(self) -> dict[str, TargetSpec]:
        """What is wanted of the data's targets, by their names."""
        from trainer_cli.data.targets import TargetSpec  # whose records a check of a config does not need

        return {
            output.target: TargetSpec(output.loss.target, output.loss.target_row(output.shape), output.loss.ignored)
            for output in self.outputs.values()
            if output.target is not None and output.loss is not None
        }

    @property
    def leaves(self) -> dict[str, str]:
        """What the graphs call the inputs and targets of the data, by the data's names."""
        weights = [SAMPLE_WEIGHT, *(class_weight_name(name) for name in self.class_weights)]
        return {
            **{name: input_leaf(name) for name in self.inputs},
            **{name: target_leaf(name) for name in self.targets},
            **{name: name for name in weights},
        }

    @property
    def class_weights(self) -> dict[str, tuple[ClassWeights, Path]]:
        """The weights of classes with their places in the config, by the targets' names."""
        return {
            output.target: output.class_weight
            for output in self.outputs.values()
            if output.target is not None and output.class_weight is not None
        }

    @property
    def input_leaves(self) -> dict[str, InputSpec]:
        """The inputs by the names that the graphs call them."""
        return {input_leaf(name): spec for name, spec in self.inputs.items()}

    @property
    def parameters(self) -> int:
        return sum(spec.size for spec in self.weights.values() if not spec.carried)

    @property
    def carried(self) -> list[str]:
        """What stateful layers leave from batch to batch, zeros at the start of a pass over the data."""
        return [name for name, spec in self.weights.items() if spec.carried]

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
        keys = {LOSS_TOTAL: LOSS_TOTAL, **self.losses}
        results = {key: float(totals[name]) / rows if rows else math.nan for key, name in keys.items()}
        for bound in self.metrics:
            own = {statistic: totals[name] for statistic, name in bound.totals.items()}
            results[bound.key] = float(bound.metric.result(own))
        return results


def build_program(
    config: Config,
    inputs: InputSpec | Mapping[str, InputSpec],
    *,
    phase: int = 0,
    sample_weights: bool | None = None,
    scalings: Mapping[str, TargetScaling] = MappingProxyType({}),
) -> Program:
    """Compile a config for one phase. Without optimizer or loss the program can predict and nothing else.

    `inputs` are the model's by name; one by itself is that of a model with one input. `sample_weights`: whether the
    data says how much each row counts; None: if the config says so. `scalings` are those of targets, by their names,
    which metrics are to undo. Raises ConfigError for shapes that do not fit, impossible pairings and what is not
    supported.
    """
    settings = phase_settings(config, phase)
    architecture = config.architecture
    nodes = nodes_of(architecture)
    given = {INPUT: inputs} if isinstance(inputs, InputSpec) else dict(inputs)
    # Only rows in the order of the data go on from batch to batch.
    most = settings.fit.batch_size
    rows = None if settings.fit.shuffle else most
    options: dict[str, Any] = {"freeze": settings.freeze, "batch_size": rows, "most_rows": most}
    inference = trace(architecture, given, training=False, **options)
    specs = {name: as_stored(nodes, name, given[name]) for name in nodes.inputs}
    objectives = _objectives(settings, list(inference.predictions)) if settings.loss is not None else []
    weights = class_weights(settings, inference.predictions, objectives)
    several = len(inference.predictions) > 1
    objectives = [
        each._replace(class_weighted=each.output in weights, scaling=scalings.get(each.output if several else TARGET))
        for each in objectives
    ]
    outputs = _outputs(inference, objectives, weights)
    if sample_weights is None:
        sample_weights = config.data is not None and config.data.weighted
    for name, prediction in zip(outputs, inference.predictions.values(), strict=True):
        inference.graph.outputs[name] = prediction.value
    inference.graph.updates.update(inference.updates)
    program = Program(specs, outputs, inference.layers, inference.weights, inference.graph)
    program.tokens = {name: inference.bounds.get(name) for name, spec in specs.items() if spec.dtype == "int32"}
    program.warnings = inference.warnings
    if not objectives:
        return program

    evaluation = trace(architecture, given, training=False, **options)
    bound = bind(
        evaluation, objectives, sample_weights=sample_weights, penalties=PENALTIES_IN_EVALUATION[config.numerics]
    )
    evaluation.graph.outputs.update(bound.totals)
    evaluation.graph.updates.update(evaluation.updates)
    program.evaluate, program.losses, program.metrics = evaluation.graph, bound.losses, bound.metrics
    program.warnings = [*inference.warnings, *bound.warnings, *_unweighted(objectives, sample_weights)]
    if settings.optimizer is None:
        return program
    if not program.trainable_weights:
        raise ConfigError([Problem("nothing to train: every weight is frozen or there is none", ("architecture",))])

    training = trace(architecture, given, training=True, **options)
    bound = bind(training, objectives, training=True, sample_weights=sample_weights)
    training.graph.outputs.update(bound.totals)
    update: Update = write_updates(training.graph, bound.mean_loss, training.weights, settings.optimizer)
    training.graph.updates.update(training.updates)
    program.train, program.slots = training.graph, update.slots
    program.hyperparameters, program.optimizer = update.hyperparameters, settings.optimizer
    return program


def _unweighted(objectives: Sequence[Objective], sample_weights: bool) -> list[Problem]:
    """Warnings of metrics that shall heed weights where there are none."""
    return [
        Problem(
            f"`{metric.type}` is weighted, but neither `data.sample_weight` nor `class_weight` gives weights",
            (*objective.metrics_path, index, "weighted"),
        )
        for objective in objectives
        for index, metric in enumerate(objective.metrics)
        if metric.weighted and not sample_weights and not objective.class_weighted
    ]


def _outputs(
    trace: Trace, objectives: Sequence[Objective], weights: Mapping[str, tuple[ClassWeights, Path]]
) -> dict[str, Output]:
    """The outputs as the program calls them."""
    several = len(trace.predictions) > 1
    losses = {objective.output: objective.loss for objective in objectives}
    outputs = {}
    for name, prediction in trace.predictions.items():
        shape = tuple(int(extent) for extent in prediction.value.shape[1:])
        loss = losses.get(name)
        target = None if loss is None else name if several else TARGET
        own = weights.get(name)
        outputs[name if several else PREDICTION] = Output(shape, prediction.activation_name, loss, target, own)
    return outputs


def _objectives(settings: PhaseSettings, outputs: Sequence[str]) -> list[Objective]:
    """What is asked of each output: one loss or list of metrics is meant for all, mappings go by output.

    An output that a mapping of losses leaves out is only predicted. Raises ConfigError for names of no output.
    """
    losses, metrics, weights = settings.loss, settings.metrics, settings.loss_weights
    problems = []
    for key, given in (("loss", losses), ("metrics", metrics), ("loss_weights", weights)):
        for name in given if isinstance(given, dict) else ():
            if name not in outputs:
                hint = f"outputs: {', '.join(outputs)}" if len(outputs) > 1 else f"the model has one, `{outputs[0]}`"
                problems.append(Problem(f"`{name}` is no output of the model", (key, name), hint))
            elif isinstance(losses, dict) and name not in losses:
                hint = f"give it one under `loss`: `{name}: …`"
                problems.append(Problem(f"the output `{name}` has no loss", (key, name), hint))
    if isinstance(losses, dict) and not losses:
        problems.append(Problem("no output has a loss", ("loss",), f"outputs: {', '.join(outputs)}"))
    if problems:
        raise ConfigError(problems)
    objectives = []
    for name in outputs:
        loss = losses.get(name) if isinstance(losses, dict) else losses
        if loss is None:
            continue
        own: Sequence[Metric] = metrics.get(name, []) if isinstance(metrics, dict) else metrics
        if not isinstance(metrics, dict) and len(outputs) > 1:
            own = [m if m.name is None else m.model_copy(update={"name": f"{name}_{m.name}"}) for m in own]
        objectives.append(
            Objective(
                name,
                loss,
                1.0 if weights is None else weights.get(name, 1.0),
                own,
                ("loss", name) if isinstance(losses, dict) else ("loss",),
                ("metrics", name) if isinstance(metrics, dict) else ("metrics",),
            )
        )
    return objectives
