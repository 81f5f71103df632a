"""The unite pass: graphs with recurrent layers in, one product of inputs and of what is carried for each step out."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.programs import program, rows_for, same_bits
from trainer_cli.compiler import schedule as passes
from trainer_cli.compiler import turn
from trainer_cli.compiler.kernels import is_tiled
from trainer_cli.compiler.program import Program
from trainer_cli.ir.graph import Graph, Value, reachable
from trainer_cli.targets import open_target

TIME, FEATURES, BATCH = 7, 5, 22
DENSE = {"type": "dense", "units": 3}

UNITED: dict[str, tuple[list[Any], list[tuple[int, int]]]] = {
    "lstm": ([{"type": "lstm", "units": 16}, DENSE], [(16 + FEATURES, 64)]),
    "no bias": ([{"type": "lstm", "units": 16, "use_bias": False}, DENSE], [(16 + FEATURES, 64)]),
    "backwards": ([{"type": "simple_rnn", "units": 32, "go_backwards": True}, DENSE], [(32 + FEATURES, 32)]),
    "stateful": ([{"type": "lstm", "units": 16, "stateful": True}, DENSE], [(16 + FEATURES, 64)]),
    "two": (
        [{"type": "lstm", "units": 16, "return_sequences": True}, {"type": "lstm", "units": 32}, DENSE],
        [(16 + FEATURES, 64), (32 + 16, 128)],
    ),
    "both ways": (
        [{"type": "bidirectional", "layer": {"type": "lstm", "units": 16}}, DENSE],
        [(16 + FEATURES, 64), (16 + FEATURES, 64)],
    ),
    "dropout": ([{"type": "lstm", "units": 16, "dropout": 0.25}, DENSE], [(16 + FEATURES, 64)]),
}
"""Layers, and the shapes of the weights that lie one below the other."""

APART: dict[str, list[Any]] = {
    # Its two products add to different things.
    "gru": [{"type": "gru", "units": 32}, DENSE],
    # Weights that lie in no tiles.
    "few units": [{"type": "lstm", "units": 6}, DENSE],
    # A mask for each gate, and products of each.
    "masks": [{"type": "lstm", "units": 16, "dropout": 0.2, "recurrent_dropout": 0.2}, DENSE],
}


@pytest.fixture(autouse=True)
def small_tiles(monkeypatch: pytest.MonkeyPatch, passes_run: None) -> None:
    monkeypatch.setattr(turn, "LEAST_TILED", 1)


def made(layers: list[Any], features: int = FEATURES) -> Program:
    return program(layers, inputs=(TIME, features), optimizer="adam", fit={"shuffle": False, "batch_size": BATCH})


def graph_of(made: Program) -> Graph:
    assert made.train is not None
    return passes.make_schedule(made.train, BATCH, 1 << 20).graph


def united(graph: Graph) -> list[tuple[int, ...]]:
    """The shapes of weights one below the other."""
    found = [value for value in graph.values if value.op == "concatenate" and is_tiled(value)]
    return [tuple(map(int, value.shape)) for value in found]


def drives(graph: Graph) -> list[Value]:
    """The products of all steps at once."""
    found = [value for value in reachable(graph.roots()) if value.op == "contract"]
    return [value for value in found if value.attributes["specification"] == "bti,io->bto"]


@pytest.mark.parametrize("name", UNITED)
def test_a_step_multiplies_its_input_and_what_it_carries_in_one_go(name: str) -> None:
    layers, shapes = UNITED[name]
    graph = graph_of(made(layers))
    assert united(graph) == shapes
    assert drives(graph) == []
    for loop in (value for value in graph.values if value.op == "loop"):
        read = set(reachable(loop.attributes["results"]))
        carries = loop.attributes["carries"]
        assert all(parameter in read for parameter in loop.attributes["parameters"][carries:])


@pytest.mark.parametrize("name", APART)
def test_other_products_stay_in_front_of_the_loop(name: str) -> None:
    graph = graph_of(made(APART[name]))
    assert united(graph) == []
    assert drives(graph)


def test_wide_inputs_are_multiplied_in_front_of_the_loop() -> None:
    layers, _ = UNITED["lstm"]
    assert united(graph_of(made(layers, 4 * 16))) == [(5 * 16, 64)]
    assert united(graph_of(made(layers, 4 * 16 + 1))) == []


@pytest.mark.parametrize("name", UNITED)
def test_it_trains_alike_and_no_bit_depends_on_threads(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    layers, _ = UNITED[name]
    split = rows_for(made(layers), 2 * BATCH + 5)

    def trained(threads: int) -> Any:
        fresh = made(layers)
        executable = open_target("cpu", threads=threads).compile(fresh, batch_size=BATCH)
        executable.load(fresh.initial_state(0))
        order = np.random.default_rng(1).permutation(split.rows).astype(np.int32)
        totals = executable.train(split, order, 0, fresh.hyperparameters, 0).totals
        return executable.state(), float(totals["loss"])

    (one, loss), (three, _) = trained(1), trained(3)
    assert same_bits(one, three)
    monkeypatch.setattr(passes, "unite", lambda graph: graph)
    plain, expected = trained(2)
    assert loss == pytest.approx(expected, rel=1e-5)
    assert not same_bits(one, plain), "sums go on from the carried values to the inputs"
    for name, array in plain.items():
        np.testing.assert_allclose(one[name], array, rtol=1e-3, atol=1e-4, err_msg=name)
