"""Recurrent layers: Keras's values, gradients and learned weights; dropout; shapes that are refused; both targets."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from tests.alike import assert_trains_alike
from tests.golden_layers import assert_as_keras, read_layer, stored
from tests.scopes import LayerScope
from trainer_cli.errors import ConfigError
from trainer_cli.ir.graph import BATCH, Graph
from trainer_cli.ir.random import RandomStream
from trainer_cli.targets.reference.interpreter import evaluate

GOLDEN = stored("keras_recurrent.json")
KINDS: list[dict[str, Any]] = [
    {"type": "simple_rnn"},
    {"type": "lstm"},
    {"type": "gru"},
    {"type": "gru", "reset_after": False},
]
TIME, FEATURES = 5, 4

random = np.random.default_rng(7)


def named(case: dict[str, Any]) -> str:
    return "-".join(str(value) for value in case["part"].values())


def run(arguments: dict[str, Any], x: Any, training: bool = False, **bound: Any) -> tuple[Any, LayerScope]:
    graph = Graph()
    scope = LayerScope(graph, training)
    result = read_layer(arguments).trace(scope, graph.input("x", (BATCH, *x.shape[1:])))
    return evaluate([result], {"x": x, "seed": 0, "step": 0, **scope.values, **bound}, len(x))[0], scope


@pytest.mark.parametrize(
    "case", [*GOLDEN["recurrent"], *GOLDEN["bidirectional"], *GOLDEN["time_distributed"]], ids=named
)
def test_what_is_computed_and_learned_is_keras_s(case: dict[str, Any]) -> None:
    assert_as_keras(case, GOLDEN["rate"])


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_the_last_output_ends_the_sequence_of_outputs(kind: dict[str, Any]) -> None:
    x = random.normal(size=(3, TIME, FEATURES))
    for backwards in (False, True):
        part = {**kind, "units": 3, "go_backwards": backwards}
        every, _ = run({**part, "return_sequences": True}, x)
        last, _ = run(part, x)
        assert every.shape == (3, TIME, 3)
        np.testing.assert_array_equal(every[:, -1], last)
    turned, _ = run({**part, "go_backwards": False}, x[:, ::-1])
    np.testing.assert_allclose(last, turned, rtol=1e-12)


def test_the_forget_gate_s_bias_begins_with_ones() -> None:
    _, scope = run({"type": "lstm", "units": 2}, np.zeros((1, 2, 3)))
    assert scope.values["bias"].tolist() == [0, 0, 1, 1, 0, 0, 0, 0]
    part = {"type": "lstm", "units": 2, "bias_initializer": {"type": "constant", "value": 0.5}}
    _, scope = run(part, np.zeros((1, 2, 3)))
    assert scope.values["bias"].tolist() == [0.5, 0.5, 1, 1, 0.5, 0.5, 0.5, 0.5]
    _, scope = run({**part, "unit_forget_bias": False}, np.zeros((1, 2, 3)))
    assert scope.values["bias"].tolist() == [0.5] * 8


def test_what_random_biases_begin_with_does_not_repeat() -> None:
    layer: Any = read_layer({"type": "lstm", "units": 3, "bias_initializer": "random_normal"})
    values = layer.first_bias.values((12,), RandomStream(0, "bias"))
    assert len(set(values.tolist())) == 10


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_weights_are_asked_for_with_what_governs_them(kind: dict[str, Any]) -> None:
    governed = {
        "kernel_regularizer": "l2",
        "recurrent_regularizer": {"type": "l1", "l1": 0.5},
        "bias_regularizer": "l1_l2",
        "kernel_constraint": "non_neg",
        "recurrent_constraint": "unit_norm",
        "bias_constraint": "max_norm",
    }
    _, scope = run({**kind, "units": 3, **governed}, np.zeros((1, 2, 3)))
    found = {name: (given["regularizer"].type, given["constraint"].type) for name, given in scope.governed.items()}
    assert found == {
        "kernel": ("l2", "non_neg"),
        "recurrent_kernel": ("l1", "unit_norm"),
        "bias": ("l1_l2", "max_norm"),
    }


def test_dropped_inputs_are_the_same_at_every_step() -> None:
    x = np.ones((50, TIME, 8))
    # One unit per input, whose output at a step is the input at this step, or 0 where it was dropped.
    part = {"type": "simple_rnn", "units": 8, "activation": "linear", "kernel_initializer": "identity"}
    part |= {"recurrent_initializer": "zeros", "dropout": 0.25, "return_sequences": True}
    value, _ = run(part, x, training=True)
    np.testing.assert_allclose(np.unique(value), [0.0, 4 / 3])
    np.testing.assert_array_equal(value, np.repeat(value[:, :1], TIME, axis=1))
    assert (value == 0).mean() == pytest.approx(0.25, abs=0.06)
    np.testing.assert_array_equal(run(part, x)[0], x)


def test_dropped_outputs_are_the_same_at_every_step() -> None:
    x = np.ones((50, TIME, 8))
    part = {"type": "simple_rnn", "units": 8, "activation": "linear", "kernel_initializer": "identity"}
    part |= {"recurrent_initializer": "identity", "recurrent_dropout": 0.5, "return_sequences": True}
    value, _ = run(part, x, training=True)
    kept = value[:, 1] > 1  # 1 + 2·1, then 1 + 2·3, …; a dropped output adds nothing
    expected = np.array([np.where(kept, 2.0 ** (step + 1) - 1, 1.0) for step in range(TIME)]).swapaxes(0, 1)
    np.testing.assert_allclose(value, expected)
    assert kept.mean() == pytest.approx(0.5, abs=0.08)


@pytest.mark.parametrize("shape", [(3,), (2, 3, 4)])
def test_rows_that_are_no_sequences_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ConfigError, match="needs sequences of shape") as caught:
        run({"type": "lstm", "units": 2}, np.zeros((1, *shape)))
    assert str(shape) in caught.value.problems[0].message


@pytest.mark.parametrize("key", ["return_state", "unroll"])
def test_what_is_not_there_is_refused(key: str) -> None:
    with pytest.raises(ValidationError, match=key):
        read_layer({"type": "gru", "units": 2, key: True})


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_stacks_train_alike_on_both_targets(kind: dict[str, Any]) -> None:
    # 21 rows in batches of 8: the last batch is short.
    layers = [
        {**kind, "units": 6, "return_sequences": True},
        {**kind, "units": 5, "go_backwards": True},
        {"type": "dense", "units": 3, "activation": "softmax"},
    ]
    assert_trains_alike(layers, "sparse_categorical_crossentropy", inputs=(TIME, FEATURES))


@pytest.mark.parametrize("kind", KINDS[1::2], ids=str)
def test_dropout_trains_alike_on_both_targets(kind: dict[str, Any]) -> None:
    rates = {"dropout": 0.2, "recurrent_dropout": 0.3}
    layers = [{**kind, "units": 5, "go_backwards": True, "return_sequences": True, **rates}, "flatten"]
    assert_trains_alike([*layers, {"type": "dense", "units": 2}], inputs=(TIME, FEATURES))


def test_a_softmax_inside_the_loop_trains_alike_on_both_targets() -> None:
    layers = [{"type": "lstm", "units": 5, "activation": "softmax", "recurrent_activation": "hard_sigmoid"}]
    assert_trains_alike([*layers, {"type": "dense", "units": 2}], inputs=(TIME, FEATURES))


def test_two_loops_may_read_one_sequence() -> None:
    layers = [
        {"type": "gru", "units": 4, "name": "left", "inputs": ["input"]},
        {"type": "lstm", "units": 4, "name": "right", "inputs": ["input"], "go_backwards": True},
        {"type": "concatenate", "inputs": ["left", "right"]},
        {"type": "dense", "units": 2},
    ]
    assert_trains_alike(layers, inputs=(TIME, FEATURES))


@pytest.mark.parametrize("mode", ["concat", "mul"])
def test_both_directions_train_alike_on_both_targets(mode: str) -> None:
    inner = {"type": "lstm", "units": 3, "return_sequences": True}
    layers = [
        {"type": "bidirectional", "layer": inner, "merge_mode": mode},
        {"type": "bidirectional", "layer": {"type": "gru", "units": 3}, "merge_mode": mode},
        {"type": "dense", "units": 2},
    ]
    assert_trains_alike(layers, inputs=(TIME, FEATURES))


def test_layers_inside_time_distributed_train_alike_on_both_targets() -> None:
    layers = [
        {"type": "time_distributed", "layer": {"type": "simple_rnn", "units": 3}},
        {"type": "time_distributed", "layer": {"type": "dense", "units": 2}},
        "flatten",
        {"type": "dense", "units": 2},
    ]
    assert_trains_alike(layers, inputs=(2, 3, FEATURES))


def test_a_frozen_inner_layer_is_not_trained() -> None:
    inner = {"type": "lstm", "units": 2, "trainable": False}
    _, scope = run({"type": "bidirectional", "layer": inner}, np.zeros((1, 2, 3)))
    assert len(scope.governed) == 6
    assert not any(given["trainable"] for given in scope.governed.values())


@pytest.mark.parametrize(
    ("arguments", "shape", "message"),
    [
        ({"type": "bidirectional", "layer": {"type": "dense", "units": 2}}, (2, 3), "holds a recurrent layer"),
        ({"type": "bidirectional", "layer": {"type": "gru", "units": 2, "go_backwards": True}}, (2, 3), "forward one"),
        ({"type": "bidirectional", "layer": {"type": "gru", "units": 2}}, (3,), "needs sequences of shape"),
        ({"type": "time_distributed", "layer": {"type": "dense", "units": 2}}, (3,), "needs sequences of shape"),
        ({"type": "time_distributed", "layer": "add"}, (2, 3), "cannot stand inside another"),
        ({"type": "time_distributed", "layer": {"type": "flatten", "name": "flat"}}, (2, 3), "has no `name`"),
        ({"type": "time_distributed", "layer": "batch_normalization"}, (2, 3), "keeps statistics of its batches"),
    ],
)
def test_wrappers_refuse(arguments: dict[str, Any], shape: tuple[int, ...], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        run(arguments, np.zeros((1, *shape)), training=True)
    assert message in caught.value.problems[0].message


def test_time_distributed_applies_its_layer_to_every_step() -> None:
    x = random.normal(size=(2, TIME, 3, 2))
    value, _ = run({"type": "time_distributed", "layer": "flatten"}, x)
    np.testing.assert_array_equal(value, x.reshape(2, TIME, 6))
