"""The trace pass: an architecture and the signatures of its inputs in, a forward graph with its weights out."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal, NamedTuple, NoReturn

from trainer_cli.config.layers import Node, Nodes, write_out
from trainer_cli.config.schema import Architecture
from trainer_cli.data.source import INPUT
from trainer_cli.errors import ConfigError, Problem
from trainer_cli.ir import language as ir
from trainer_cli.ir.graph import BATCH, Graph, Value
from trainer_cli.ir.primitive import IRError, Shape
from trainer_cli.ir.random import stream_number
from trainer_cli.parts.activation import Activation
from trainer_cli.parts.constraint import Constraint
from trainer_cli.parts.families import INITIALIZERS, read_part
from trainer_cli.parts.initializer import Initializer
from trainer_cli.parts.layer import Layer
from trainer_cli.parts.loss import Prediction
from trainer_cli.parts.regularizer import Regularizer

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
    carried: bool = False
    """Whether it is no weight but what a stateful layer leaves to the next batch, a row for each row of a batch."""
    learning_rate_multiplier: float = 1.0

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
    """A traced architecture: the graph, its inputs and predictions by name, and what the layers asked for.

    `bounds`: by the names of inputs, what the whole numbers in them must stay below. `losses`: scalars
    that layers add to the mean loss. `warnings`: masks that are lost.
    """

    graph: Graph
    inputs: dict[str, Value]
    predictions: dict[str, Prediction]
    layers: list[LayerRow]
    weights: dict[str, WeightSpec]
    updates: dict[str, Value] = field(default_factory=dict)
    bounds: dict[str, int] = field(default_factory=dict)
    losses: list[Value] = field(default_factory=list)
    warnings: list[Problem] = field(default_factory=list)


def input_leaf(name: str) -> str:
    """What the graph calls an input of the model. No weight and no hyper-parameter has such a name."""
    return name if name == INPUT else f"{INPUT}:{name}"


class Scope:
    """The trace as one layer sees it; see `trainer_cli.parts.layer.LayerScope`."""

    def __init__(self, tracer: _Tracer, node: Node, frozen: bool, masks: tuple[Value | None, ...]) -> None:
        self._tracer = tracer
        self._node = node
        self._frozen = frozen
        self._masks = masks
        self._streams = 0
        self.given_mask: Value | None = None

    @property
    def training(self) -> bool:
        return self._tracer.training

    @property
    def frozen(self) -> bool:
        return self._frozen

    @property
    def masks(self) -> tuple[Value | None, ...]:
        return self._masks

    def give_mask(self, mask: Value | None) -> None:
        self.given_mask = mask

    def weight(
        self,
        name: str,
        shape: tuple[int, ...],
        initializer: Initializer,
        *,
        regularizer: Regularizer | None = None,
        constraint: Constraint | None = None,
        trainable: bool = True,
        learning_rate_multiplier: float = 1.0,
    ) -> Value:
        for kind, part in (("initializer", initializer), ("constraint", constraint)):
            misfit = None if part is None else part.misfit(shape)
            if misfit is not None:
                given = f"{name}_{kind}"
                self.refuse(misfit, field=given if given in type(self._node.layer).model_fields else None)
        owner = self._node.owner
        full = f"{owner}/{name}"
        trained, rate = trainable and not self._frozen, learning_rate_multiplier * self._node.learning_rate_multiplier
        spec = WeightSpec(
            full, owner, shape, initializer, regularizer, constraint, trained, learning_rate_multiplier=rate
        )
        known = self._tracer.weights.setdefault(full, spec)
        if known.shape != shape:
            self.refuse(f"shares `{full}` of shape {known.shape}, but its own input asks for {shape}", field="of")
        # A layer that is used again goes on from the statistics that its last use has left.
        pending = self._tracer.updates.get(full)
        return self._tracer.graph.weight(full, shape) if pending is None else pending

    def assign(self, weight: Value, value: Value) -> None:
        known = self._tracer.assigned.get(weight)
        name = weight.name if known is None else known
        self._tracer.updates[name] = value
        self._tracer.assigned[value] = name

    def carried(self, name: str, shape: tuple[int, ...]) -> Value:
        rows = self._tracer.batch_size
        if rows is None:
            self.refuse(
                "`stateful` needs batches that go on from one another, and `fit.shuffle` mixes the rows",
                field="stateful",
                hint="set fit: {shuffle: false}, and order the rows so that row i of a batch follows row i of the last",
            )
        full = f"{self._node.owner}/{name}"
        zeros = read_part(INITIALIZERS, "zeros")
        assert isinstance(zeros, Initializer)
        spec = WeightSpec(full, self._node.owner, (rows, *shape), zeros, None, None, False, carried=True)
        self._tracer.weights.setdefault(full, spec)
        graph = self._tracer.graph
        pending = self._tracer.updates.get(full)
        table = graph.weight(full, spec.shape) if pending is None else pending
        return ir.gather(table, self._tracer.row_numbers)

    def carry(self, name: str, value: Value) -> None:
        rows = self._tracer.batch_size
        assert rows is not None
        self._tracer.updates[f"{self._node.owner}/{name}"] = ir.scatter_add(
            self._tracer.row_numbers, ir.stop_gradient(value), rows
        )

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
        stream = stream_number("layer", self._node.name, self._streams)
        self._streams += 1
        return ir.random_uniform(graph.seed(), graph.step(), stream, like.shape)

    def add_loss(self, penalty: Value) -> None:
        if penalty.shape != () or penalty.dtype != "float":
            raise IRError(f"what {self._node.name} adds to the loss must be a float scalar, not {penalty!r}")
        self._tracer.losses.append(penalty)

    def refuse(self, message: str, *, field: str | None = None, hint: str | None = None) -> NoReturn:
        path = self._node.path if field is None else (*self._node.path, field)
        raise ConfigError([Problem(f"{self._node.name}: {message}", path, hint)])


class _Tracer:
    def __init__(self, training: bool, batch_size: int | None) -> None:
        self.training = training
        self.batch_size = batch_size
        self.graph = Graph()
        self.weights: dict[str, WeightSpec] = {}
        self.updates: dict[str, Value] = {}
        self.assigned: dict[Value, str] = {}
        self.bounds: dict[str, int] = {}
        self.activations: dict[Value, tuple[Activation, Value]] = {}
        self.masks: dict[str, Value | None] = {}
        self.losses: list[Value] = []
        self.warnings: list[Problem] = []

    @cached_property
    def row_numbers(self) -> Value:
        """The number of each row within its batch, `(batch,)`."""
        return ir.iota(ir.zeros(self.graph, (BATCH,)), 0)


def nodes_of(architecture: Architecture) -> Nodes:
    """The architecture written out. Raises ConfigError."""
    return write_out(architecture.layers, architecture.inputs, architecture.outputs)


def declared_input(nodes: Nodes, name: str) -> InputSpec | None:
    """What an `input` layer says of an input of the model, None if there is none."""
    node = nodes.declared(name)
    if node is None:
        return None
    shape: Any = getattr(node.layer, "shape")  # noqa: B009
    dtype: Literal["float32", "int32"] = getattr(node.layer, "dtype")  # noqa: B009
    return InputSpec(tuple(shape), dtype)


def as_stored(nodes: Nodes, name: str, spec: InputSpec) -> InputSpec:
    """An input as the model wants its rows in memory: whole numbers if its `input` layer says so."""
    declared = declared_input(nodes, name)
    return InputSpec(spec.shape, "int32") if declared is not None and declared.dtype == "int32" else spec


def trace(
    architecture: Architecture,
    inputs: Mapping[str, InputSpec],
    *,
    training: bool,
    freeze: Iterable[str] = (),
    batch_size: int | None = None,
    most_rows: int | None = None,
) -> Trace:
    """Write the forward pass: each layer takes the one above it, or those that its `inputs` name.

    `inputs` are the model's by name. `batch_size` is given where a batch goes on from the one before, row by row, as
    stateful layers need it; `most_rows` is what a batch has at most in any case. Raises ConfigError with the place of
    the layer for shapes that do not fit and for what is not supported.
    """
    nodes = nodes_of(architecture)
    _check_inputs(nodes, inputs)
    tracer = _Tracer(training, batch_size)
    frozen = nodes.owners(list(freeze))
    outputs: dict[str, Value] = {}
    for name in nodes.inputs:
        spec = as_stored(nodes, name, inputs[name])
        dtype: Literal["int", "float"] = "int" if spec.dtype == "int32" else "float"
        outputs[name] = tracer.graph.input(input_leaf(name), (BATCH, *spec.shape), dtype)
    sources = dict(outputs)
    rows = [_apply(tracer, node, outputs, node.owner in frozen) for node in nodes.nodes]
    predictions = {}
    for name, end in nodes.outputs.items():
        value = outputs[end]
        activation, logits = tracer.activations.get(value, (None, None))
        predictions[name] = Prediction(value, activation, logits, tracer.masks.get(end), most_rows)
    bounds = {name: tracer.bounds[value.name] for name, value in sources.items() if value.name in tracer.bounds}
    asked = (tracer.weights, tracer.updates, bounds, tracer.losses, tracer.warnings)
    return Trace(tracer.graph, sources, predictions, rows, *asked)


def _check_inputs(nodes: Nodes, inputs: Mapping[str, InputSpec]) -> None:
    problems = []
    for name in nodes.inputs:
        node, declared = nodes.declared(name), declared_input(nodes, name)
        if name not in inputs:
            has = ", ".join(f"`{known}`" for known in inputs)
            what = "one input" if len(inputs) == 1 else f"the inputs {has}"
            message = f"the model has an input `{name}`, the data has {what}"
            problems.append(Problem(message, ("data",), "say under `data` which arrays or columns are which input"))
        elif node is not None and declared is not None and declared.shape != inputs[name].shape:
            shape = inputs[name].shape
            message = f"the `input` layer declares rows of shape {declared.shape}, the data has rows of shape {shape}"
            problems.append(Problem(message, (*node.path, "shape")))
    for name in inputs:
        if name not in nodes.inputs:
            wanted = ", ".join(f"`{known}`" for known in nodes.inputs)
            message = f"the data has an input `{name}`, the model has {wanted}"
            problems.append(Problem(message, ("data",), "give the model an `input` layer of that name"))
    if problems:
        raise ConfigError(problems)


def _apply(tracer: _Tracer, node: Node, outputs: dict[str, Value], frozen: bool) -> LayerRow:
    """Write one node; its row in the table of layers."""
    name, layer = node.name, node.layer
    given = [outputs[other] for other in node.inputs]
    masks = tuple(tracer.masks.get(other) for other in node.inputs)
    scope = Scope(tracer, node, frozen or not node.trainable, masks)
    known = len(tracer.weights)
    with tracer.graph.layer(name):
        try:
            value = outputs[name] = layer.apply(scope, *given)
            tracer.masks[name] = _mask_behind(tracer, node, scope, value)
        except IRError as error:
            shapes = " and ".join(str(_shown(operand.shape)) for operand in given)
            scope.refuse(f"its input of shape {shapes} does not fit", hint=str(error).split(": ")[-1])
    own = [spec for spec in list(tracer.weights.values())[known:] if not spec.carried]
    trainable = sum(spec.size for spec in own if spec.trainable)
    if layer.learning_rate_multiplier != 1.0 and not own and name == node.owner:
        scope.refuse("has no weights, and so no learning rate", field="learning_rate_multiplier")
    return LayerRow(name, layer.type, _shown(value.shape), sum(spec.size for spec in own), trainable)


def _mask_behind(tracer: _Tracer, node: Node, scope: Scope, value: Value) -> Value | None:
    """The mask of a layer's result."""
    layer: Layer = node.layer
    if layer.mask_use == "reads":
        return scope.given_mask
    masks = [mask for mask in scope.masks if mask is not None]
    if not masks:
        return None
    if layer.mask_use == "keeps" and value.shape[: masks[0].rank] == masks[0].shape:
        # A step is padding where it is so in all inputs; an input without mask has no padding.
        if len(masks) < len(scope.masks):
            return None
        result = masks[0]
        for mask in masks[1:]:
            result = result if mask is result else ir.logical_or(result, mask)
        return result
    message = f"{node.name}: takes padded steps for data, because `{layer.type}` knows no masks"
    tracer.warnings.append(Problem(message, node.path))
    return None


def _shown(shape: Shape) -> tuple[int, ...]:
    return tuple(extent for extent in shape if isinstance(extent, int))
