"""Layers: values, gradients by input and weights, what they ask of their scope and what they refuse."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.numeric import batch, check_gradients, compute, whole
from tests.scopes import LayerScope
from trainer_cli.errors import ConfigError
from trainer_cli.ir.graph import BATCH, Graph, Value
from trainer_cli.parts.families import LAYERS, read_part
from trainer_cli.parts.layer import Layer
from trainer_cli.targets.reference.interpreter import evaluate

random = np.random.default_rng(11)


def layer(**arguments: Any) -> Layer:
    part = read_part(LAYERS, arguments)
    assert isinstance(part, Layer)
    return part


def run(part: Layer, x: Any, training: bool = False, seed: int = 0, step: int = 0) -> tuple[Any, LayerScope]:
    """The layer's output for a batch with the weights' first values, and the scope that it used."""
    graph = Graph()
    scope = LayerScope(graph, training)
    result = part.trace(scope, graph.input("x", (BATCH, *x.shape[1:])))
    bound = {"x": x, "seed": seed, "step": step, **scope.values}
    return evaluate([result], bound, len(x))[0], scope


def refusal(part: Layer, *shape: int) -> Any:
    graph = Graph()
    with pytest.raises(ConfigError) as caught:
        part.trace(LayerScope(graph), graph.input("x", (BATCH, *shape)))
    (problem,) = caught.value.problems
    return problem


VARIANTS: list[tuple[dict[str, Any], tuple[int, ...], tuple[int, ...]]] = [
    ({"type": "input", "shape": [3, 2]}, (3, 2), (3, 2)),
    ({"type": "dense", "units": 4}, (3,), (4,)),
    ({"type": "dense", "units": 4, "activation": "tanh", "use_bias": False}, (3,), (4,)),
    ({"type": "dense", "units": 2}, (5, 3), (5, 2)),
    ({"type": "dense", "units": 2, "activation": "softmax"}, (2, 5, 3), (2, 5, 2)),
    ({"type": "activation", "activation": "softplus"}, (3, 2), (3, 2)),
    ({"type": "dropout", "rate": 0.5}, (3, 2), (3, 2)),
    ({"type": "simple_rnn", "units": 2, "dropout": 0.3, "recurrent_dropout": 0.3}, (3, 2), (2,)),
    ({"type": "lstm", "units": 2, "recurrent_dropout": 0.3, "return_sequences": True}, (3, 2), (3, 2)),
    ({"type": "lstm", "units": 1, "dropout": 0.3, "recurrent_dropout": 0.3, "go_backwards": True}, (3, 2), (1,)),
    ({"type": "gru", "units": 2, "recurrent_dropout": 0.3}, (3, 2), (2,)),
    ({"type": "gru", "units": 2, "reset_after": False, "dropout": 0.3, "recurrent_dropout": 0.3}, (3, 2), (2,)),
    ({"type": "flatten"}, (3, 2, 2), (12,)),
    ({"type": "flatten"}, (3,), (3,)),
    ({"type": "reshape", "target_shape": [3, -1]}, (12,), (3, 4)),
    ({"type": "reshape", "target_shape": [12]}, (3, 4), (12,)),
]


def test_every_layer_has_a_variant() -> None:
    """Here, or its name stands in quotes in a file of tests of its own kind or in what Keras computes for them."""
    here = {arguments["type"] for arguments, *_ in VARIANTS}
    folder = Path(__file__).parent
    files = [*(folder / "layers").glob("test_*.py"), *(folder.parent / "golden").glob("keras_*.json")]
    elsewhere = "".join(path.read_text() for path in files)
    assert [name for name in LAYERS.names() if name not in here and f'"{name}"' not in elsewhere] == []


@pytest.mark.parametrize(("arguments", "given", "made"), VARIANTS, ids=str)
@pytest.mark.parametrize("training", [False, True])
def test_shapes_and_gradients(
    arguments: dict[str, Any], given: tuple[int, ...], made: tuple[int, ...], training: bool
) -> None:
    part = layer(**arguments)
    x = random.normal(size=(2, *given))
    value, scope = run(part, x, training)
    assert value.shape == (2, *made)
    names = list(scope.values)

    def build(x: Value, *weights: Value) -> Value:
        inner = LayerScope(x.graph, training)
        inner.weight = lambda name, *_, **__: weights[names.index(name)]  # type: ignore[method-assign]
        return part.trace(inner, x)

    # Random weights: zeros could hide a gradient.
    check_gradients(build, batch(x), *(whole(random.normal(size=scope.values[name].shape)) for name in names))


@pytest.mark.parametrize(("arguments", "given", "made"), VARIANTS, ids=str)
def test_rows_do_not_mix(arguments: dict[str, Any], given: tuple[int, ...], made: tuple[int, ...]) -> None:
    x = random.normal(size=(5, *given))
    many, _ = run(layer(**arguments), x)
    one, _ = run(layer(**arguments), x[3:4])
    np.testing.assert_allclose(many[3:4], one, rtol=1e-12)


def test_dense_is_an_affine_map_of_the_last_axis() -> None:
    x = random.normal(size=(2, 5, 3))
    value, scope = run(layer(type="dense", units=4, bias_initializer={"type": "constant", "value": 0.5}), x)
    assert list(scope.values) == ["kernel", "bias"]
    np.testing.assert_allclose(value, x @ scope.values["kernel"] + 0.5)
    limit = np.sqrt(6 / (3 + 4))
    assert np.abs(scope.values["kernel"]).max() <= limit
    assert np.abs(scope.values["kernel"]).max() > limit / 2


def test_dense_asks_for_its_weights_with_what_governs_them() -> None:
    part = layer(
        type="dense",
        units=2,
        kernel_regularizer="l2",
        kernel_constraint={"type": "max_norm", "max_value": 1},
        bias_regularizer={"type": "l1", "l1": 0.5},
        bias_constraint="non_neg",
    )
    _, scope = run(part, np.ones((1, 3)))
    kernel, bias = scope.governed["kernel"], scope.governed["bias"]
    assert (kernel["regularizer"].type, kernel["constraint"].max_value) == ("l2", 1.0)
    assert (bias["regularizer"].l1, bias["constraint"].type) == (0.5, "non_neg")


@pytest.mark.parametrize("arguments", [{"type": "dense", "units": 2}, {"type": "activation"}])
def test_activations_are_told_to_the_scope(arguments: dict[str, Any]) -> None:
    _, scope = run(layer(activation="sigmoid", **arguments), np.ones((1, 3)))
    assert [activation.type for activation in scope.activated] == ["sigmoid"]


def test_dense_needs_features() -> None:
    assert "axis of features" in refusal(layer(type="dense", units=2)).message


def test_input_refuses_rows_of_another_shape() -> None:
    problem = refusal(layer(type="input", shape=[3]), 4)
    assert problem.message == "rows come in the shape (4,), not (3,)"
    assert problem.path == ("shape",)


def test_dropout_keeps_the_expected_share_and_scales_it() -> None:
    x = np.ones((400, 250))
    value, _ = run(layer(type="dropout", rate=0.3), x, training=True)
    np.testing.assert_allclose(np.unique(value), [0.0, 1 / 0.7])
    assert (value == 0).mean() == pytest.approx(0.3, abs=0.01)
    assert value.mean() == pytest.approx(1.0, abs=0.01)


def test_dropout_draws_anew_at_every_step_and_seed() -> None:
    x = np.ones((4, 50))
    part = layer(type="dropout", rate=0.5)
    masks = [run(part, x, training=True, seed=seed, step=step)[0] for seed, step in ((0, 0), (0, 1), (1, 0), (0, 0))]
    np.testing.assert_array_equal(masks[0], masks[3])
    assert not np.array_equal(masks[0], masks[1])
    assert not np.array_equal(masks[0], masks[2])


@pytest.mark.parametrize(("rate", "training"), [(0.0, True), (0.5, False), (1.0, False)])
def test_dropout_passes_its_input_on(rate: float, training: bool) -> None:
    x = random.normal(size=(2, 3))
    np.testing.assert_array_equal(run(layer(type="dropout", rate=rate), x, training)[0], x)


def test_dropout_of_everything_gives_zeros() -> None:
    np.testing.assert_array_equal(run(layer(type="dropout", rate=1.0), np.ones((2, 3)), training=True)[0], 0.0)


def test_flatten_and_reshape_keep_row_major_order() -> None:
    x = np.arange(24.0).reshape(2, 3, 4)
    np.testing.assert_array_equal(run(layer(type="flatten"), x)[0], x.reshape(2, 12))
    np.testing.assert_array_equal(run(layer(type="reshape", target_shape=[2, -1, 3]), x)[0], x.reshape(2, 2, 2, 3))


@pytest.mark.parametrize(("target", "words"), [([5, 3], "(5, 3)"), ([5, -1], "(5, -1)"), ([24], "(24,)")])
def test_reshape_refuses_another_number_of_elements(target: list[int], words: str) -> None:
    problem = refusal(layer(type="reshape", target_shape=target), 3, 4)
    assert problem.message == f"12 elements do not fit {words}"
    assert problem.path == ("target_shape",)
    assert "(3, 4)" in problem.hint


def test_common_fields_have_their_defaults() -> None:
    part = layer(type="flatten")
    assert (part.name, part.inputs, part.trainable) == (None, None, True)


def test_a_dense_layer_in_float32_stays_in_float32() -> None:
    build: Callable[..., Value] = lambda x: layer(type="flatten").trace(LayerScope(x.graph), x)  # noqa: E731
    assert compute(build, batch(np.ones((2, 3, 2))), precision=np.float32).dtype == np.float32
