"""Layers against Keras for tests: a stored case in, what the layer computes and learns on both targets out."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tests.native import NativeGraph
from tests.scopes import DrawnScope, LayerScope
from trainer_cli.compiler.gradient import gradients
from trainer_cli.compiler.trace import WeightSpec
from trainer_cli.compiler.update import write_updates
from trainer_cli.ir import language as ir
from trainer_cli.ir.graph import BATCH, Graph, Value
from trainer_cli.parts.families import INITIALIZERS, LAYERS, OPTIMIZERS, read_part
from trainer_cli.parts.layer import Layer
from trainer_cli.targets.reference.interpreter import evaluate

GOLDEN = Path(__file__).parent / "golden"
Arrays = dict[str, NDArray[Any]]


def stored(file: str) -> dict[str, Any]:
    """The content of a file of golden values."""
    content: dict[str, Any] = json.loads((GOLDEN / file).read_text())
    return content


def read_layer(arguments: Mapping[str, Any]) -> Layer:
    part = read_part(LAYERS, dict(arguments))
    assert isinstance(part, Layer)
    return part


class Learning(NamedTuple):
    """What `learn` found: the output in training and the loss of every step, the first gradients by weights and inputs,
    the last weights."""

    value: NDArray[Any]
    losses: list[float]
    by_weight: Arrays
    by_input: list[NDArray[Any]]
    trained: Arrays


class GoldenLayer:
    """The layer of a case: on the reference in float64, or on the CPU target."""

    def __init__(self, case: Mapping[str, Any], rate: float, optimizer: str = "adam") -> None:
        self.layer = read_layer(case["part"])
        self.inputs = {f"x{index}": np.asarray(x) for index, x in enumerate(case["inputs"])}
        self.rows = len(self.inputs["x0"])
        self.target = np.asarray(case.get("target", 0.0))
        self.drawn = {"drawn": np.asarray(case["drawn"])} if "drawn" in case else {}
        self.weights = {name: np.asarray(values) for name, values in case["weights"].items()}
        self.optimizer: Any = read_part(OPTIMIZERS, {"type": optimizer, "learning_rate": rate})

    def trace(self, training: bool, graph: Graph | None = None) -> tuple[LayerScope, list[Value], Value]:
        """The layer's scope, its inputs and its result."""
        graph = graph or Graph()
        inputs = [
            graph.input(name, (BATCH, *array.shape[1:]), "int" if array.dtype.kind == "i" else "float")
            for name, array in self.inputs.items()
        ]
        scope = LayerScope(graph, training, frozen=not self.layer.trainable)
        if training and self.drawn:
            scope = DrawnScope(graph.input("drawn", (BATCH, *self.drawn["drawn"].shape[1:])))
        return scope, inputs, self.layer.apply(scope, *inputs)

    def _trains(self, scope: LayerScope, weight: str) -> bool:
        return self.layer.trainable and scope.governed[weight].get("trainable", True)

    def inferred(self) -> NDArray[Any]:
        _, _, result = self.trace(training=False)
        return evaluate([result], {**self.inputs, **self.weights}, self.rows)[0]

    def _write(self) -> tuple[Graph, Arrays, list[str]]:
        """A graph that makes one step of training, what to bind in it, and the names of its trainable weights.

        Outputs: `value`, `inferred`, `loss`, and the gradients by weights and inputs, called `by/<name>`.
        """
        scope, inputs, result = self.trace(training=True)
        graph = scope.graph
        loss = ir.reduce_mean(ir.square(result - graph.input("target", result.shape)))
        for penalty in scope.added:
            loss = loss + penalty
        ones = read_part(INITIALIZERS, "ones")
        specs = {
            name: WeightSpec(name, "layer", values.shape, ones, None, None, self._trains(scope, name))  # type: ignore[arg-type]
            for name, values in self.weights.items()
        }
        trainable = {name: graph.weight(name, spec.shape) for name, spec in specs.items() if spec.trainable}
        floats = {x.name: x for x in inputs if x.dtype == "float"}
        slopes = gradients(loss, [*trainable.values(), *floats.values()])
        update = write_updates(graph, loss, specs, self.optimizer)
        graph.outputs |= {"value": result, "inferred": self.trace(training=False, graph=graph)[2], "loss": loss}
        graph.outputs |= {f"by/{name}": slope for name, slope in zip([*trainable, *floats], slopes, strict=True)}
        slots = {name: np.full(slot.shape, slot.initial) for name, slot in update.slots.items()}
        hyperparameters = {name: np.asarray(value) for name, value in update.hyperparameters.items()}
        bound = {**self.inputs, **self.drawn, "target": self.target, **self.weights, **slots, **hyperparameters}
        return graph, bound, list(trainable)

    def _learning(self, found: list[Arrays], trainable: list[str], last: Arrays) -> Learning:
        first = found[0]
        return Learning(
            first["value"],
            [float(step["loss"]) for step in found],
            {name: first[f"by/{name}"] for name in trainable if f"by/{name}" in first},
            [first[f"by/{name}"] for name, x in self.inputs.items() if x.dtype.kind == "f"],
            {name: last[name] for name in self.weights},
        )

    def learn(self, steps: int) -> Learning:
        """Some steps of training on the reference. The loss is the mean squared error."""
        graph, bound, trainable = self._write()
        names = [*graph.outputs, *graph.updates]
        found = []
        for step in range(steps):
            results = dict(zip(names, evaluate(graph.roots(), {**bound, "step": step}, self.rows), strict=True))
            bound |= {name: results[name] for name in graph.updates}
            found.append(results)
        return self._learning(found, trainable, bound)

    def learn_natively(self, steps: int) -> tuple[NDArray[Any], Learning]:
        """The inferred values and some steps of training on the CPU target; weights have no gradients of their own
        there: each is part of the step that the optimizer makes of it."""
        graph, bound, trainable = self._write()
        for name in trainable:
            del graph.outputs[f"by/{name}"]
        native = NativeGraph(graph, self.rows)
        found = []
        for step in range(steps):
            results = native.run(bound, self.rows, step=step)
            bound |= {name: results[f"{name}'"] for name in graph.updates}
            found.append(results)
        return found[0]["inferred"], self._learning(found, trainable, bound)


def assert_as_keras(case: Mapping[str, Any], rate: float, tolerance: float = 1e-9, optimizer: str = "adam") -> None:
    """Compare forward pass, gradients, losses and learned weights with the stored ones, relative to the largest.

    A case without values in training is one whose layer draws random numbers there.
    """
    golden = GoldenLayer(case, rate, optimizer)
    if "inferred" in case:
        _close(golden.inferred(), case["inferred"], tolerance, "inferred")
    if "value" in case:
        found = golden.learn(len(case["losses"]))
        _close_learning(case, found, tolerance)
        assert found.by_weight.keys() == case["gradients"].keys()
        for name, gradient in found.by_weight.items():
            _close(gradient, case["gradients"][name], tolerance, f"gradient by {name}")


def assert_natively_as_keras(case: Mapping[str, Any], rate: float, optimizer: str, tolerance: float = 1e-5) -> None:
    """Compare the same in float32 on the CPU target, gradients by weights through the steps that are made of them."""
    inferred, found = GoldenLayer(case, rate, optimizer).learn_natively(len(case["losses"]))
    if "inferred" in case:
        _close(inferred, case["inferred"], tolerance, "inferred")
    _close_learning(case, found, tolerance)


def _close_learning(case: Mapping[str, Any], found: Learning, tolerance: float) -> None:
    _close(found.value, case["value"], tolerance, "value")
    _close(found.losses, case["losses"], tolerance, "losses")
    for index, (gradient, expected) in enumerate(zip(found.by_input, case["input_gradients"], strict=True)):
        _close(gradient, expected, tolerance, f"gradient by input {index}")
    for name, values in found.trained.items():
        _close(values, case["trained"][name], tolerance, f"{name} after training")


def _close(found: Any, expected: Any, tolerance: float, what: str) -> None:
    wanted = np.asarray(expected, dtype=np.float64)
    assert np.shape(found) == wanted.shape, what
    scale = float(np.abs(wanted).max(initial=1e-3))
    np.testing.assert_allclose(found, wanted, rtol=tolerance, atol=tolerance * scale, err_msg=what)
