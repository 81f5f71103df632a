"""Normalizing layers: Keras's values and learning, moving statistics, frozen layers, numbers far from 0."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.alike import assert_trains_alike
from tests.golden_layers import assert_as_keras, read_layer, stored
from tests.programs import program, rows_for, train
from tests.scopes import LayerScope
from trainer_cli.errors import ConfigError
from trainer_cli.ir.graph import BATCH, Graph
from trainer_cli.targets.reference.interpreter import evaluate

GOLDEN = stored("keras_blocks.json")
NORMALIZING = ["layer_normalization", "rms_normalization", "batch_normalization"]
random = np.random.default_rng(3)


def named(case: dict[str, Any]) -> str:
    return f"{case['part']}-{np.shape(case['inputs'][0])}"


def run(arguments: dict[str, Any], x: Any, *, training: bool = False, precision: Any = np.float64) -> Any:
    """The result, and the next values of the layer's weights."""
    graph = Graph()
    scope = LayerScope(graph, training)
    result = read_layer(arguments).trace(scope, graph.input("x", (BATCH, *x.shape[1:])))
    found = evaluate([result, *graph.updates.values()], {"x": x, **scope.values}, len(x), precision)
    return found[0], dict(zip(graph.updates, found[1:], strict=True))


@pytest.mark.parametrize("case", GOLDEN["normalizations"], ids=named)
def test_values_and_learning_are_keras_s(case: dict[str, Any]) -> None:
    assert_as_keras(case, GOLDEN["rate"])


@pytest.mark.parametrize(
    ("arguments", "axes"),
    [
        ({"type": "layer_normalization"}, (2,)),
        ({"type": "layer_normalization", "axis": [2, 1]}, (1, 2)),
        ({"type": "batch_normalization"}, (0, 1)),
        ({"type": "batch_normalization", "axis": 1}, (0, 2)),
    ],
    ids=str,
)
@pytest.mark.parametrize("precision", [np.float64, np.float32])
def test_numbers_far_from_zero_keep_their_digits(arguments: dict[str, Any], axes: tuple[int, ...], precision: Any):
    noise = random.normal(size=(6, 5, 4)).round(2)
    x = (noise + 4096.0).astype(precision)
    result, _ = run({**arguments, "epsilon": 1e-6}, x, training=True, precision=precision)
    exact = x.astype(np.float64)
    expected = (exact - exact.mean(axes, keepdims=True)) / exact.std(axes, keepdims=True)
    # What is left is the rounding of x and of its mean, 4096 · 2⁻²⁴ each.
    np.testing.assert_allclose(result, expected, atol=1e-5 if precision is np.float64 else 2e-3)


@pytest.mark.parametrize("name", NORMALIZING)
def test_constant_values_stay_finite(name: str) -> None:
    result, _ = run({"type": name}, np.full((4, 3), 7.0), training=True)
    expected = 1.0 if name == "rms_normalization" else 0.0
    np.testing.assert_allclose(result, expected, atol=1e-6)


def test_moving_statistics_take_over_those_of_the_batch() -> None:
    x = random.normal(size=(6, 5, 3)) * 2.0 + 1.0
    _, updates = run({"type": "batch_normalization", "momentum": 0.9}, x, training=True)
    np.testing.assert_allclose(updates["moving_mean"], 0.1 * x.mean((0, 1)))
    np.testing.assert_allclose(updates["moving_variance"], 0.9 + 0.1 * x.var((0, 1)))
    assert run({"type": "batch_normalization"}, x)[1] == {}


def test_inference_uses_the_moving_statistics_alone() -> None:
    x = random.normal(size=(6, 3))
    given = {"type": "constant", "value": 4.0}
    part = {"type": "batch_normalization", "moving_mean_initializer": given, "moving_variance_initializer": given}
    expected = (x - 4.0) / np.sqrt(4.0 + 1e-3)
    np.testing.assert_allclose(run(part, x)[0], expected)
    frozen, updates = run({**part, "trainable": True}, x[:1])
    np.testing.assert_allclose(frozen, expected[:1])
    assert updates == {}


@pytest.mark.parametrize(
    ("axis", "message"),
    [
        (0, "cannot run along axis 0, the batch"),
        (3, "runs along axis 3, but its input's axes end at 2"),
        (-3, "cannot run along axis -3, the batch"),
    ],
)
@pytest.mark.parametrize("name", NORMALIZING)
def test_axes_that_do_not_fit_are_refused(name: str, axis: int, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        run({"type": name, "axis": axis}, np.zeros((2, 3, 4)))
    (problem,) = caught.value.problems
    assert (problem.message, problem.path) == (f"`{name}` {message}", ("axis",))


def test_an_axis_named_twice_is_refused() -> None:
    with pytest.raises(ConfigError, match="names one axis twice"):
        run({"type": "layer_normalization", "axis": [1, -2]}, np.zeros((2, 3, 4)))


HEAD: list[Any] = ["flatten", {"type": "dense", "units": 3, "activation": "softmax"}]
LABELS = "sparse_categorical_crossentropy"


@pytest.mark.parametrize(
    ("layers", "shape"),
    [
        (["layer_normalization", *HEAD], (7,)),
        (
            [
                {"type": "dense", "units": 9},
                {"type": "layer_normalization", "axis": [1, 2]},
                {"type": "dense", "units": 70, "use_bias": False},
                {"type": "layer_normalization", "axis": 1},
                "rms_normalization",
                *HEAD,
            ],
            (4, 5),
        ),
    ],
    ids=["rows", "axes"],
)
def test_both_targets_learn_alike(layers: list[Any], shape: tuple[int, ...]) -> None:
    # Normalizing four numbers again and again makes much of small differences.
    assert_trains_alike(layers, LABELS, inputs=shape, tolerance=1e-3)


@pytest.mark.parametrize(
    ("layers", "shape"),
    [
        (
            [
                {"type": "dense", "units": 9, "use_bias": False},
                "batch_normalization",
                {"type": "dense", "units": 150, "activation": "relu"},
                "batch_normalization",
                *HEAD,
            ],
            (7,),
        ),
        (
            [
                {"type": "batch_normalization", "momentum": 0.5},
                {"type": "dense", "units": 6},
                {"type": "batch_normalization", "axis": 1},
                *HEAD,
            ],
            (4, 3),
        ),
        (
            [
                {"type": "conv2d", "filters": 4, "kernel_size": 3, "use_bias": False},
                "batch_normalization",
                {"type": "activation", "activation": "relu", "name": "stream"},
                {"type": "conv2d", "filters": 4, "kernel_size": 3, "padding": "same", "use_bias": False},
                "batch_normalization",
                {"type": "add", "inputs": ["stream", "batch_normalization_2"]},
                *HEAD,
            ],
            (7, 6, 2),
        ),
    ],
    ids=["rows", "axes", "images"],
)
def test_batch_statistics_are_those_of_all_rows_on_both_targets(layers: list[Any], shape: tuple[int, ...]) -> None:
    model, state = assert_trains_alike(layers, LABELS, inputs=shape)
    moving = [name for name in model.weights if "/moving_" in name]
    assert not set(moving) & set(model.trainable_weights)
    first = model.initial_state(5)
    for name in moving:
        assert not np.array_equal(state[name], first[name]), "moved"


@pytest.mark.parametrize("target", ["cpu", "reference"])
@pytest.mark.parametrize("frozen", [{"trainable": False}, {}], ids=["trainable: false", "freeze"])
def test_a_frozen_layer_keeps_all_its_weights(target: str, frozen: dict[str, Any]) -> None:
    layers = [{"type": "dense", "units": 4}, {"type": "batch_normalization", **frozen}, *HEAD]
    keys = {} if frozen else {"freeze": ["batch_normalization_1"]}
    model = program(layers, LABELS, "adam", inputs=(5,), **keys)
    state, _ = train(model, rows_for(model, 16), steps=3, target=target)
    first = model.initial_state(5)
    for name in model.weights:
        moved = not np.array_equal(state[name], first[name])
        assert moved == ("batch_normalization" not in name)
