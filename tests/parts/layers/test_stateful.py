"""Stateful layers: long sequences cut into batches in, what one pass over the whole sequences gives out."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.programs import config
from trainer_cli.compiler.program import InputSpec, Program, build_program
from trainer_cli.data.source import Split
from trainer_cli.errors import ConfigError
from trainer_cli.targets import open_target

ROWS, LENGTH, PIECES = 3, 4, 5
FIT = {"batch_size": ROWS, "shuffle": False}
LAYERS: list[dict[str, Any]] = [
    {"type": "simple_rnn", "units": 4, "stateful": True},
    {"type": "lstm", "units": 4, "stateful": True},
    {"type": "gru", "units": 4, "stateful": True},
]


def build(layer: dict[str, Any], length: int = LENGTH, **keys: Any) -> Program:
    made = config([layer, {"type": "dense", "units": 2}], loss="mse", optimizer="sgd", **{"fit": FIT, **keys})
    return build_program(made, InputSpec((length, 2)))


def long_rows(rows: int = ROWS) -> np.ndarray:
    return np.random.default_rng(0).normal(size=(rows, LENGTH * PIECES, 2)).astype(np.float32)


def in_pieces(whole: np.ndarray) -> Split:
    """The first pieces of all rows, then the second ones, …: row i of a batch goes on from row i of the last."""
    pieces = np.concatenate([whole[:, n * LENGTH : (n + 1) * LENGTH] for n in range(PIECES)])
    random = np.random.default_rng(1)
    return Split({"input": pieces}, {"target": random.normal(size=(len(pieces), 2)).astype(np.float32)}, len(pieces))


@pytest.mark.parametrize("layer", LAYERS, ids=lambda layer: layer["type"])
@pytest.mark.parametrize("target", ["reference", "cpu"])
def test_pieces_give_what_the_whole_gives(layer: dict[str, Any], target: str) -> None:
    program = build(layer)
    whole = build({**layer, "stateful": False}, LENGTH * PIECES)
    state = program.initial_state(0)
    executable = open_target(target).compile(program, batch_size=ROWS)
    executable.load(state)
    executable.begin_pass()
    split = in_pieces(long_rows())
    every = executable.predict(split, 0, split.rows)["prediction"]
    found = every[-ROWS:]
    at_once = open_target("reference").compile(whole, batch_size=ROWS)
    at_once.load({name: state[name] for name in whole.weights})
    expected = at_once.predict(Split({"input": long_rows()}, {}, ROWS), 0, ROWS)["prediction"]
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-6)
    again = executable.predict(split, 0, split.rows)["prediction"]
    assert np.abs(again - every)[:ROWS].max() > 1e-3, "a second pass goes on from the first unless it begins anew"
    executable.begin_pass()
    assert executable.predict(split, 0, split.rows)["prediction"].tobytes() == every.tobytes()


def test_training_goes_on_from_batch_to_batch_on_every_number_of_threads() -> None:
    program = build(LAYERS[1])
    states = []
    for target, options in (("reference", {}), ("cpu", {"threads": 1}), ("cpu", {"threads": 2})):
        executable = open_target(target, **options).compile(program, batch_size=ROWS)
        executable.load(program.initial_state(0))
        split = in_pieces(long_rows())
        executable.train(split, np.arange(split.rows, dtype=np.int32), 0, program.hyperparameters, 0)
        states.append(executable.state())
    for name, value in states[0].items():
        np.testing.assert_allclose(states[1][name], value, rtol=1e-4, atol=1e-6, err_msg=name)
        assert states[1][name].tobytes() == states[2][name].tobytes()
    assert np.abs(states[0]["lstm_1/state_0"]).max() > 0
    assert program.parameters == sum(row.parameters for row in program.layers)


def test_rows_in_random_order_are_refused() -> None:
    with pytest.raises(ConfigError) as caught:
        build(LAYERS[0], fit={"batch_size": 3})
    (problem,) = caught.value.problems
    assert problem.path == ("architecture", 0, "stateful")
    assert "`fit.shuffle` mixes the rows" in problem.message
