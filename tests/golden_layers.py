"""Layers against Keras for tests: a stored case in, what the layer computes and learns on the reference out."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tests.scopes import LayerScope
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


class GoldenLayer:
    """The layer of a case, on the reference in float64."""

    def __init__(self, case: Mapping[str, Any], rate: float) -> None:
        self.layer = read_layer(case["part"])
        self.inputs = {f"x{index}": np.asarray(x) for index, x in enumerate(case["inputs"])}
        self.rows = len(self.inputs["x0"])
        self.target = np.asarray(case["target"])
        self.weights = {name: np.asarray(values) for name, values in case["weights"].items()}
        self.optimizer: Any = read_part(OPTIMIZERS, {"type": "adam", "learning_rate": rate})

    def trace(self, training: bool) -> tuple[LayerScope, list[Value], Value]:
        """The layer's scope, its inputs and its result."""
        graph = Graph()
        inputs = [
            graph.input(name, (BATCH, *array.shape[1:]), "int" if array.dtype.kind == "i" else "float")
            for name, array in self.inputs.items()
        ]
        scope = LayerScope(graph, training, frozen=not self.layer.trainable)
        return scope, inputs, self.layer.trace(scope, *inputs)

    def _trains(self, scope: LayerScope, weight: str) -> bool:
        return self.layer.trainable and scope.governed[weight].get("trainable", True)

    def inferred(self) -> NDArray[Any]:
        _, _, result = self.trace(training=False)
        return evaluate([result], {**self.inputs, **self.weights}, self.rows)[0]

    def learn(self, steps: int) -> tuple[NDArray[Any], list[float], Arrays, list[NDArray[Any]], Arrays]:
        """The output in training, the loss of every step, the first gradients by weights and inputs, the last weights.

        The loss is the mean squared error; Adam makes the steps.
        """
        scope, inputs, result = self.trace(training=True)
        graph = scope.graph
        loss = ir.reduce_mean(ir.square(result - graph.input("target", result.shape)))
        ones = read_part(INITIALIZERS, "ones")
        specs = {
            name: WeightSpec(name, "layer", values.shape, ones, None, None, self._trains(scope, name))  # type: ignore[arg-type]
            for name, values in self.weights.items()
        }
        trainable = {name: graph.weight(name, spec.shape) for name, spec in specs.items() if spec.trainable}
        floats = [x for x in inputs if x.dtype == "float"]
        slopes = gradients(loss, [*trainable.values(), *floats])
        update = write_updates(graph, loss, specs, self.optimizer)
        state = {**self.weights, **{name: np.full(slot.shape, slot.initial) for name, slot in update.slots.items()}}
        losses: list[float] = []
        first: list[NDArray[Any]] = []
        for step in range(steps):
            bound = {**self.inputs, "target": self.target, **state, **update.hyperparameters, "step": step}
            found = evaluate([result, loss, *slopes, *graph.updates.values()], bound, self.rows)
            if step == 0:
                first = found[: 2 + len(slopes)]
            losses.append(float(found[1]))
            state |= dict(zip(graph.updates, found[2 + len(slopes) :], strict=True))
        by_weight = dict(zip(trainable, first[2:], strict=False))
        return first[0], losses, by_weight, first[2 + len(trainable) :], {name: state[name] for name in self.weights}


def assert_as_keras(case: Mapping[str, Any], rate: float, tolerance: float = 1e-9) -> None:
    """Compare forward pass, gradients, losses and learned weights with the stored ones, relative to the largest."""
    golden = GoldenLayer(case, rate)
    _close(golden.inferred(), case["inferred"], tolerance, "inferred")
    value, losses, by_weight, by_input, trained = golden.learn(len(case["losses"]))
    _close(value, case["value"], tolerance, "value")
    _close(losses, case["losses"], tolerance, "losses")
    for index, (found, expected) in enumerate(zip(by_input, case["input_gradients"], strict=True)):
        _close(found, expected, tolerance, f"gradient by input {index}")
    assert by_weight.keys() == case["gradients"].keys()
    for name, found in by_weight.items():
        _close(found, case["gradients"][name], tolerance, f"gradient by {name}")
    for name, found in trained.items():
        _close(found, case["trained"][name], tolerance, f"{name} after training")


def _close(found: Any, expected: Any, tolerance: float, what: str) -> None:
    wanted = np.asarray(expected, dtype=np.float64)
    assert np.shape(found) == wanted.shape, what
    scale = float(np.abs(wanted).max(initial=1e-3))
    np.testing.assert_allclose(found, wanted, rtol=tolerance, atol=tolerance * scale, err_msg=what)
