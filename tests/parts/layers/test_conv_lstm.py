"""Convolutional LSTMs: dropout, order, weights, refusals; both targets."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from tests.alike import assert_trains_alike
from tests.golden_layers import read_layer
from tests.layer_runs import refusal, run
from tests.native import assert_agree
from tests.programs import program
from tests.scopes import LayerScope
from trainer_cli.data.source import Split
from trainer_cli.ir import language as ir
from trainer_cli.ir.graph import BATCH, Graph
from trainer_cli.parts.families import LAYERS
from trainer_cli.targets import open_target
from trainer_cli.targets.reference.interpreter import evaluate

random = np.random.default_rng(5)
FILMS: dict[str, Any] = {"type": "conv_lstm2d", "filters": 2, "kernel_size": 3}


def test_its_weights_are_keras_s() -> None:
    result, scope = run({**FILMS, "bias_initializer": {"type": "constant", "value": 3.0}}, np.ones((1, 2, 5, 4, 3)))
    assert result.shape == (1, 3, 2, 2)
    assert {name: values.shape for name, values in scope.values.items()} == {
        "kernel": (3, 3, 3, 8),
        "recurrent_kernel": (3, 3, 2, 8),
        "bias": (8,),
    }
    np.testing.assert_array_equal(scope.values["bias"], [3, 3, 1, 1, 3, 3, 3, 3])


def test_a_window_of_one_pixel_on_one_pixel_is_an_lstm() -> None:
    x = random.normal(size=(3, 4, 2))
    ours, scope = run({**FILMS, "kernel_size": 1, "return_sequences": True}, x[:, :, None, None, :])
    theirs, other = run({"type": "lstm", "units": 2, "return_sequences": True}, x)
    np.testing.assert_array_equal(scope.values["kernel"].reshape(2, 8), other.values["kernel"])
    np.testing.assert_allclose(ours[:, :, 0, 0], theirs, rtol=1e-12)


def test_a_film_read_backwards_is_one_turned_round() -> None:
    x = random.normal(size=(2, 3, 4, 4, 1))
    part = {**FILMS, "return_sequences": True}
    np.testing.assert_allclose(run({**part, "go_backwards": True}, x)[0], run(part, x[:, ::-1])[0], rtol=1e-12)
    np.testing.assert_allclose(run(part, x)[0][:, -1], run(FILMS, x)[0], rtol=1e-12)


@pytest.mark.parametrize("target", ["reference", "cpu"])
def test_the_rows_of_a_batch_go_on_from_those_before(target: str) -> None:
    x = random.normal(size=(2, 6, 4, 3, 1)).astype(np.float32)
    fit = {"batch_size": 2, "shuffle": False}
    whole, pieces = (
        program([{**FILMS, "kernel_size": 2, "stateful": length == 2}], inputs=(length, 4, 3, 1), fit=fit)
        for length in (6, 2)
    )
    weights = whole.initial_state(1)
    assert sorted(pieces.carried) == ["conv_lstm2d_1/state_0", "conv_lstm2d_1/state_1"]
    executable = open_target(target).compile(pieces, batch_size=2)
    executable.load({**pieces.initial_state(1), **weights})
    executable.begin_pass()
    cut = np.concatenate([x[:, start : start + 2] for start in (0, 2, 4)])
    found = executable.predict(Split({"input": cut}, {}, 6), 0, 6)["prediction"][-2:]
    at_once = open_target("reference").compile(whole, batch_size=2)
    at_once.load(weights)
    expected = at_once.predict(Split({"input": x}, {}, 2), 0, 2)["prediction"]
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-6)


def test_dropout_leaves_inference_alone_and_keeps_its_masks_over_time() -> None:
    x = np.ones((1, 4, 3, 3, 40))
    part = {**FILMS, "kernel_size": 1, "dropout": 0.5, "recurrent_dropout": 0.5}
    np.testing.assert_array_equal(run(part, x)[0], run({**FILMS, "kernel_size": 1}, x)[0])
    assert not np.allclose(run(part, x, training=True)[0], run(part, x)[0])
    assert not np.allclose(run(part, x, training=True)[0], run(part, x, training=True, step=1)[0])
    # Without products of the last output and with gates that the cell alone moves, equal inputs give equal steps.
    arguments = {**part, "return_sequences": True, "recurrent_initializer": "zeros", "recurrent_dropout": 0.0}
    found = run({**arguments, "activation": "linear", "unit_forget_bias": False}, x, training=True)[0]
    steps = np.diff(np.concatenate([np.zeros((1, 1, 3, 3, 2)), found], 1), axis=1)
    forgets = steps[:, 1:] / steps[:, :-1]
    np.testing.assert_allclose(forgets[:, 0], forgets[:, 1], rtol=1e-9)


@pytest.mark.parametrize("returned", [False, True])
def test_steps_that_a_mask_leaves_out_change_nothing(returned: bool) -> None:
    part = read_layer({**FILMS, "return_sequences": returned})
    x = random.normal(size=(2, 5, 3, 4, 1))
    kept = np.array([[1, 1, 1, 0, 0], [0, 1, 0, 1, 1]], dtype=float)
    graph = Graph()
    mask = ir.greater(graph.input("kept", (BATCH, 5)), 0.5)
    scope = LayerScope(graph, masks=(mask,))
    graph.outputs["result"] = part.trace(scope, graph.input("x", (BATCH, *x.shape[1:])))
    assert scope.given_mask is (mask if returned else None)
    bound = {"x": x, "kept": kept, **scope.values}
    (found,) = evaluate([graph.outputs["result"]], bound, 2)
    for row in range(2):
        # The film without these steps ends as the whole one does.
        (short, _) = run({**FILMS, "return_sequences": returned}, x[row : row + 1, kept[row] > 0])
        np.testing.assert_allclose(found[row, kept[row] > 0] if returned else found[row], short[0], rtol=1e-12)
    assert_agree(graph, bound, 2)


@pytest.mark.parametrize(
    ("layers", "shape"),
    [
        ([{**FILMS, "kernel_size": [1, 2], "strides": [1, 2], "dropout": 0.2, "go_backwards": True}], (3, 4, 4, 2)),
        ([{"type": "conv_lstm1d", "filters": 3, "kernel_size": 2, "recurrent_dropout": 0.3}], (3, 5, 2)),
    ],
    ids=["films", "sequences"],
)
def test_both_targets_learn_alike(layers: list[Any], shape: tuple[int, ...]) -> None:
    head = ["flatten", {"type": "dense", "units": 3, "activation": "softmax"}]
    assert_trains_alike([*layers, *head], "sparse_categorical_crossentropy", inputs=shape)


def test_what_does_not_fit_is_refused() -> None:
    assert "rows of shape (time, height, width, channels), not (4, 4, 1)" in refusal(FILMS, (4, 4, 1)).message
    problem = refusal(FILMS, (3, 2, 4, 1))
    assert "does not fit into (2, 4)" in problem.message
    assert problem.path == ("kernel_size",)
    problem = refusal({**FILMS, "activation": {"type": "softmax", "axis": 5}}, (3, 4, 4, 1))
    assert problem.path == ("activation",)
    with pytest.raises(ValidationError, match="cannot both be more than 1"):
        read_layer({**FILMS, "strides": 2, "dilation_rate": 2})


@pytest.mark.parametrize("name", ["ConvLSTM2D", "convLstm2d", "ConvLSTM1D"])
def test_names_of_both_libraries(name: str) -> None:
    assert LAYERS.canonical(name) == f"conv_lstm{name[-2]}d"
