"""Recurrent cells run over sequences: layers of the same cells give the same; padding, state and refusals."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from tests.alike import assert_trains_alike
from tests.golden_layers import read_layer
from tests.layer_runs import refusal, run
from tests.programs import program
from trainer_cli.compiler.program import InputSpec, Program
from trainer_cli.data.source import Split
from trainer_cli.targets import open_target

random = np.random.default_rng(8)
LSTM: dict[str, Any] = {"type": "lstm", "units": 3}
GRU: dict[str, Any] = {"type": "gru", "units": 2}


@pytest.mark.parametrize(
    "cell",
    [
        LSTM,
        GRU,
        {"type": "simple_rnn", "units": 3, "activation": "relu"},
        {"type": "conv_lstm1d", "filters": 2, "kernel_size": 2},
    ],
    ids=lambda cell: cell["type"],
)
@pytest.mark.parametrize("order", [{}, {"return_sequences": True, "go_backwards": True}], ids=["last", "backwards"])
def test_one_cell_is_the_layer_of_its_name(cell: dict[str, Any], order: dict[str, Any]) -> None:
    x = random.normal(size=(2, 4, 3, 2) if "filters" in cell else (2, 4, 3))
    ours, scope = run({"type": "rnn", "cell": {**cell, "type": f"{cell['type']}_cell"}, **order}, x)
    theirs, other = run({**cell, **order}, x)
    np.testing.assert_array_equal(ours, theirs)
    assert scope.values.keys() == other.values.keys()


def predicted(model: Program, weights: dict[str, Any], given: Any) -> Any:
    executable = open_target("reference").compile(model, batch_size=len(given))
    executable.load({**model.initial_state(0), **weights})
    return executable.predict(Split({"input": given}, {}, len(given)), 0, len(given))["prediction"]


@pytest.mark.parametrize("backwards", [False, True])
def test_several_cells_are_layers_one_behind_the_other_with_padding_too(backwards: bool) -> None:
    tokens = np.array([[3, 1, 0, 0], [2, 2, 4, 1], [1, 0, 0, 0]], np.int32)
    embedding = {"type": "embedding", "input_dim": 5, "output_dim": 3, "mask_zero": True, "name": "words"}
    stacked = {"type": "rnn", "cell": [LSTM, GRU], "go_backwards": backwards, "name": "both"}
    apart = [
        {**LSTM, "return_sequences": True, "go_backwards": backwards, "name": "first"},
        {**GRU, "name": "second"},
    ]
    one, two = (program([embedding, *each], inputs=InputSpec((4,), "int32")) for each in ([stacked], apart))
    weights = one.initial_state(3)
    renamed = {
        name.replace("both/cell_1", "first").replace("both/cell_2", "second"): each for name, each in weights.items()
    }
    np.testing.assert_array_equal(predicted(one, weights, tokens), predicted(two, renamed, tokens))


def test_the_rows_of_a_batch_go_on_in_every_cell() -> None:
    layers = [{"type": "rnn", "cell": [LSTM, GRU], "stateful": True}]
    whole, pieces = (
        program([{**layers[0], "stateful": length == 2}], inputs=(length, 3), fit={"batch_size": 2, "shuffle": False})
        for length in (6, 2)
    )
    assert len(pieces.carried) == 3
    weights = whole.initial_state(1)
    x = random.normal(size=(2, 6, 3)).astype(np.float32)
    executable = open_target("reference").compile(pieces, batch_size=2)
    executable.load({**pieces.initial_state(1), **weights})
    executable.begin_pass()
    cut = np.concatenate([x[:, start : start + 2] for start in (0, 2, 4)])
    found = executable.predict(Split({"input": cut}, {}, 6), 0, 6)["prediction"][-2:]
    np.testing.assert_allclose(found, predicted(whole, weights, x), rtol=1e-6)


def test_libraries_ways_to_give_cells_mean_the_same() -> None:
    wanted = read_layer({"type": "rnn", "cell": [LSTM, GRU]})
    kinds = {"lstm": "LSTMCell", "gru": "gruCell"}
    listed = [{**each, "type": kinds[each["type"]]} for each in (LSTM, GRU)]
    assert read_layer({"type": "RNN", "cell": listed}) == wanted
    assert read_layer({"type": "rnn", "cell": {"type": "stackedRNNCells", "cells": listed}}) == wanted


@pytest.mark.parametrize(
    ("part", "words", "field"),
    [
        ({"cell": "flatten"}, "a recurrent layer, not `flatten`", ("cell",)),
        ({"cell": [LSTM, {**GRU, "return_sequences": True}]}, "a cell has no `return_sequences`", ("cell",)),
        (
            {"cell": {"type": "conv_lstm1d", "filters": 2, "kernel_size": 1}, "zero_output_for_mask": True},
            "knows no",
            ("zero_output_for_mask",),
        ),
    ],
    ids=str,
)
def test_what_is_no_cell_is_refused(part: dict[str, Any], words: str, field: tuple[str, ...]) -> None:
    problem = refusal({"type": "rnn", **part}, (4, 3, 2) if "conv" in str(part) else (4, 3))
    assert words in problem.message
    assert problem.path == field


@pytest.mark.parametrize("part", [{}, {"cell": []}, {"cell": 3}], ids=str)
def test_a_cell_is_needed(part: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        read_layer({"type": "rnn", **part})


def test_both_targets_learn_alike_through_several_cells() -> None:
    cells = [{**LSTM, "recurrent_dropout": 0.25}, {**GRU, "dropout": 0.25}]
    stacked = {"type": "rnn", "cell": cells, "return_sequences": True, "go_backwards": True}
    assert_trains_alike([stacked, {"type": "dense", "units": 2}], inputs=(4, 3))
