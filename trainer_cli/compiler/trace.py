"""The trace pass: an architecture and the signature of its input in, a forward graph with its weights out."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any, NamedTuple, NoReturn

from trainer_cli.config.schema import Architecture, layer_names
from trainer_cli.errors import ConfigError, Problem
from trainer_cli.ir import language as ir
from trainer_cli.ir.graph import BATCH, Graph, Value
from trainer_cli.ir.primitive import IRError, Shape
from trainer_cli.ir.random import stream_number
from trainer_cli.parts.activation import Activation
from trainer_cli.parts.constraint import Constraint
from trainer_cli.parts.initializer import Initializer
from trainer_cli.parts.layer import Layer
from trainer_cli.parts.loss import Prediction
from trainer_cli.parts.regularizer import Regularizer

INPUT = "input"

_HANDED_ON = frozenset({"reshape", "transpose", "broadcast", "slice", "reverse", "concatenate", "stop_gradient"})
"""Primitives whose elements are their operands'."""


class InputSpec(NamedTuple):
    """What a batch of the input looks like: the shape of a row, the stored type, and the factor applied on reading.

    `dtype` is `float32`, `uint8` for images that stay bytes in memory and are multiplied by `scale` when gathered, or
    `int32` for whole numbers.
    """

    shape: tuple[int, ...]
    dtype: str = "float32"
    scale: float = 1.0


class WeightSpec(NamedTuple):
    """A weight of the model: `<layer>/<weight>`, its shape and what governs it."""

    name: str
    layer: str
    shape: tuple[int, ...]
    initializer: Initializer
    regularizer: Regularizer | None
    constraint: Constraint | None
    trainable: bool

    @property
    def size(self) -> int:
        return math.prod(self.shape)


class LayerRow(NamedTuple):
    """One line of the layer table. `output_shape` leaves the batch axis out."""

    name: str
    type: str
    output_shape: tuple[int, ...]
    parameters: int
    trainable_parameters: int


@dataclass(eq=False, repr=False)
class Trace:
    """A traced architecture: the graph, its input, its prediction, and what the layers asked for.

    `bounds`: by the names of inputs, what the whole numbers in them must stay below.
    """

    graph: Graph
    input: Value
    prediction: Prediction
    layers: list[LayerRow]
    weights: dict[str, WeightSpec]
    updates: dict[str, Value] = field(default_factory=dict)
    bounds: dict[str, int] = field(default_factory=dict)


class Scope:
    """The trace as one layer sees it; see `trainer_cli.parts.layer.LayerScope`."""

    def __init__(self, tracer: _Tracer, index: int, layer: Layer, name: str, frozen: bool) -> None:
        self._tracer = tracer
        self._index = index
        self._layer = layer
        self._name = name
        self._frozen = frozen
        self._streams = 0

    @property
    def training(self) -> bool:
        return self._tracer.training

    @property
    def frozen(self) -> bool:
        return self._frozen

    def weight(
        self,
        name: str,
        shape: tuple[int, ...],
        initializer: Initializer,
        *,
        regularizer: Regularizer | None = None,
        constraint: Constraint | None = None,
        trainable: bool = True,
    ) -> Value:
        for kind, part in (("initializer", initializer), ("constraint", constraint)):
            misfit = None if part is None else part.misfit(shape)
            if misfit is not None:
                given = f"{name}_{kind}"
                self.refuse(misfit, field=given if given in type(self._layer).model_fields else None)
        full = f"{self._name}/{name}"
        spec = WeightSpec(full, self._name, shape, initializer, regularizer, constraint, trainable and not self._frozen)
        self._tracer.weights.setdefault(full, spec)
        return self._tracer.graph.weight(full, shape)

    def assign(self, weight: Value, value: Value) -> None:
        self._tracer.updates[weight.name] = value

    def expect_below(self, x: Value, bound: int) -> None:
        if x.op == "input":
            self._tracer.bounds[x.name] = min(bound, self._tracer.bounds.get(x.name, bound))
        elif x.op in _HANDED_ON:
            for operand in x.operands:
                self.expect_below(operand, bound)
        else:
            self.refuse(
                "takes whole numbers straight from an `input` layer, so that the data can be checked, not computed ones"
            )

    def activate(self, activation: Activation, x: Value) -> Value:
        misfit = activation.misfit(x.shape)
        if misfit is not None:
            self.refuse(misfit, field="activation")
        result = activation.apply(x)
        self._tracer.activations.setdefault(result, (activation, x))
        return result

    def random_uniform(self, like: Value) -> Value:
        graph = self._tracer.graph
        stream = stream_number("layer", self._name, self._streams)
        self._streams += 1
        return ir.random_uniform(graph.seed(), graph.step(), stream, like.shape)

    def refuse(self, message: str, *, field: str | None = None, hint: str | None = None) -> NoReturn:
        path: tuple[str | int, ...] = ("architecture", self._index)
        raise ConfigError([Problem(f"{self._name}: {message}", path if field is None else (*path, field), hint)])


class _Tracer:
    def __init__(self, training: bool) -> None:
        self.training = training
        self.graph = Graph()
        self.weights: dict[str, WeightSpec] = {}
        self.updates: dict[str, Value] = {}
        self.bounds: dict[str, int] = {}
        self.activations: dict[Value, tuple[Activation, Value]] = {}


def declared_input(architecture: Architecture) -> tuple[int, ...] | None:
    """The shape that an `input` layer declares, None if there is none."""
    first = architecture.layers[0]
    shape: Any = getattr(first, "shape", None)
    return tuple(shape) if first.type == "input" and shape is not None else None


def as_stored(architecture: Architecture, input_spec: InputSpec) -> InputSpec:
    """The input as the model wants its rows in memory: whole numbers if its `input` layer says so."""
    first = architecture.layers[0]
    if first.type == "input" and getattr(first, "dtype", None) == "int32":
        return InputSpec(input_spec.shape, "int32")
    return input_spec


def trace(architecture: Architecture, input_spec: InputSpec, *, training: bool, freeze: Iterable[str] = ()) -> Trace:
    """Write the forward pass: each layer takes the one above it, or those that its `inputs` name.

    Raises ConfigError with the place of the layer for shapes that do not fit and for what is not supported.
    """
    _refuse_graphs(architecture)
    declared = declared_input(architecture)
    if declared is not None and declared != input_spec.shape:
        message = f"the `input` layer declares rows of shape {declared}, the data has rows of shape {input_spec.shape}"
        raise ConfigError([Problem(message, ("architecture", 0, "shape"))])
    tracer = _Tracer(training)
    frozen = set(freeze)
    integers = as_stored(architecture, input_spec).dtype == "int32"
    source = tracer.graph.input(INPUT, (BATCH, *input_spec.shape), "int" if integers else "float")
    names = layer_names(architecture.layers)
    taken = _connections(architecture, names)
    outputs: dict[str, Value] = {INPUT: source}
    rows = []
    for index, (layer, name) in enumerate(zip(architecture.layers, names, strict=True)):
        scope = Scope(tracer, index, layer, name, name in frozen or not layer.trainable)
        given = [outputs[other] for other in taken[index]]
        with tracer.graph.layer(name):
            try:
                value = outputs[name] = layer.trace(scope, *given)
            except IRError as error:
                shapes = " and ".join(str(_shown(operand.shape)) for operand in given)
                scope.refuse(f"its input of shape {shapes} does not fit", hint=str(error).split(": ")[-1])
        own = [spec for spec in tracer.weights.values() if spec.layer == name]
        rows.append(
            LayerRow(
                name,
                layer.type,
                _shown(value.shape),
                sum(spec.size for spec in own),
                sum(spec.size for spec in own if spec.trainable),
            )
        )
    value = outputs[names[-1]]
    activation, logits = tracer.activations.get(value, (None, None))
    prediction = Prediction(value, activation, logits)
    return Trace(tracer.graph, source, prediction, rows, tracer.weights, tracer.updates, tracer.bounds)


def _shown(shape: Shape) -> tuple[int, ...]:
    return tuple(extent for extent in shape if isinstance(extent, int))


def _connections(architecture: Architecture, names: Sequence[str]) -> list[list[str]]:
    """For each layer the names of those whose outputs it takes; `input` names the model's input.

    Raises ConfigError for names that no earlier layer has, for a wrong number of inputs, and for layers whose output
    nobody takes.
    """
    problems: list[Problem] = []
    taken: list[list[str]] = []
    used = {names[-1]}
    for index, layer in enumerate(architecture.layers):
        path: tuple[str | int, ...] = ("architecture", index)
        if layer.type == "input" and index > 0:
            problems.append(Problem("an `input` layer stands first", (*path, "type")))
        above = names[index - 1] if index else INPUT
        given = [above] if layer.inputs is None else list(layer.inputs)
        known = [INPUT, *names[:index]]
        for position, name in enumerate(given):
            if name not in known:
                close = get_close_matches(name, known, n=1)
                hint = f"did you mean `{close[0]}`?" if close else f"layers above: {', '.join(known)}"
                later = "stands below" if name in names else "does not exist"
                message = f"{names[index]}: the layer `{name}` {later}; `inputs` name layers above"
                problems.append(Problem(message, (*path, "inputs", position), hint))
        fewest, most = layer.input_count
        if len(given) < fewest or (most is not None and len(given) > most):
            expected = f"{fewest} input{'s' if fewest != 1 else ''}" if most == fewest else f"at least {fewest} inputs"
            message = f"{names[index]}: {layer.type} takes {expected}, not {len(given)}"
            hint = "name the layers whose outputs it takes: `inputs: [first, second]`"
            problems.append(Problem(message, (*path, "inputs") if layer.inputs is not None else path, hint))
        used.update(given)
        taken.append(given)
    for index, name in enumerate(names):
        if name not in used:
            hint = "name it in the `inputs` of a layer below, or leave it out"
            problems.append(Problem(f"no layer takes the output of `{name}`", ("architecture", index), hint))
    if problems:
        raise ConfigError(problems)
    return taken


def _refuse_graphs(architecture: Architecture) -> None:
    problems = []
    if architecture.outputs:
        message = "`outputs` is not supported yet: the last layer is the output"
        problems.append(Problem(message, ("architecture", "outputs")))
    if architecture.inputs:
        message = (
            "`inputs` is not supported yet: declare the input's shape with a first layer {type: input, shape: […]}"
        )
        problems.append(Problem(message, ("architecture", "inputs")))
    if problems:
        raise ConfigError(problems)
