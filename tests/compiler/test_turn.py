"""The turn pass: products that read weights across in, the same bits from copies that lie right out."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest

from tests.programs import program, rows_for, same_bits
from trainer_cli.compiler import schedule as passes
from trainer_cli.compiler import turn
from trainer_cli.compiler.kernels import is_private
from trainer_cli.compiler.program import Program
from trainer_cli.compiler.turn import LEAST_POSITIONS, LEAST_STEPS
from trainer_cli.ir.graph import Graph
from trainer_cli.targets import open_target

RECURRENT: list[Any] = [
    {"type": "gru", "units": 20, "return_sequences": True},
    {"type": "bidirectional", "layer": {"type": "lstm", "units": 9}},
    {"type": "dense", "units": 3},
]
CONVOLUTIONAL: list[Any] = [
    {"type": "conv2d", "filters": 5, "kernel_size": 3, "padding": "same"},
    {"type": "conv2d", "filters": 20, "kernel_size": [3, 2], "strides": [2, 1], "activation": "relu"},
    {"type": "conv2d", "filters": 6, "kernel_size": 3, "dilation_rate": 2},
    {"type": "conv2d", "filters": 6, "kernel_size": 3, "groups": 2},
    {"type": "conv2d_transpose", "filters": 4, "kernel_size": 3, "strides": 2},
    "global_average_pooling2d",
    {"type": "dense", "units": 3},
]
TILED: list[Any] = [
    {"type": "lstm", "units": 16, "return_sequences": True},
    {"type": "gru", "units": 32, "return_sequences": True},
    {"type": "bidirectional", "layer": {"type": "lstm", "units": 9}},
    {"type": "dense", "units": 3},
]
MODELS: dict[str, tuple[list[Any], tuple[int, ...]]] = {
    "recurrent": (RECURRENT, (9, 5)),
    "tiled": (TILED, (7, 5)),
    "convolutional": (CONVOLUTIONAL, (18, 16, 2)),
}
BATCH = 22


@pytest.fixture(autouse=True)
def small_tiles(monkeypatch: pytest.MonkeyPatch, passes_run: None) -> None:
    monkeypatch.setattr(turn, "LEAST_TILED", 1)
    # Which puts what is turned together with other weights, and adds up in another order.
    monkeypatch.setattr(passes, "unite", lambda graph: graph)


def made(name: str) -> Program:
    layers, shape = MODELS[name]
    return program(layers, inputs=shape, optimizer="adam")


def scheduled(made: Program, batch: int = BATCH, cache: int = 1 << 20) -> Any:
    assert made.train is not None
    return passes.make_schedule(made.train, batch, cache)


def copies(graph: Graph) -> list[tuple[int, ...]]:
    """The shapes of weights that were turned round."""
    return [tuple(map(int, value.shape)) for value in graph.values if is_private(value) and value.op == "transpose"]


def trained(made: Program, threads: int) -> Any:
    split = rows_for(made, 2 * BATCH + 5)
    order = np.random.default_rng(1).permutation(split.rows).astype(np.int32)
    executable = open_target("cpu", threads=threads).compile(made, batch_size=BATCH)
    executable.load(made.initial_state(0))
    executable.train(split, order, 0, made.hyperparameters, 0)
    return executable.state()


def test_weights_of_loops_and_convolutions_are_turned_round_once() -> None:
    recurrent = copies(scheduled(made("recurrent")).graph)
    # Of the recurrent weights of a GRU, and of an LSTM in both directions.
    assert sorted(recurrent) == [(36, 9), (36, 9), (60, 20)]
    convolutional = copies(scheduled(made("convolutional")).graph)
    assert (3, 3, 6, 20) in convolutional
    assert all(shape[-1] != 3 for shape in convolutional)  # not that of groups


def test_short_loops_few_positions_and_large_weights_are_left_as_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    layers, _ = MODELS["recurrent"]
    short = program(layers, inputs=(LEAST_STEPS - 1, 5))
    assert copies(scheduled(short).graph) == []
    few = LEAST_POSITIONS // (18 * 16) - 1
    assert copies(scheduled(made("convolutional"), few).graph) == []
    monkeypatch.setattr(turn, "LARGEST", 60 * 20 - 1)
    assert sorted(copies(scheduled(made("recurrent")).graph)) == [(36, 9), (36, 9)]


def test_weights_that_loops_multiply_by_lie_in_tiles_where_these_are_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    def tiled() -> list[tuple[tuple[int, ...], tuple[int, ...]]]:
        found = [value for value in scheduled(made("tiled")).graph.values if value.attributes.get("tiled")]
        return sorted((tuple(map(int, value.shape)), value.attributes["permutation"]) for value in found)

    # The LSTM's forward, the GRU's forward and backward; 64 × 16 has no whole tile, nor have 9 × 36 and 36 × 9.
    assert tiled() == [((16, 64), (0, 1)), ((32, 96), (0, 1)), ((96, 32), (1, 0))]
    monkeypatch.setattr(turn, "LEAST_TILED", 32 * 96)
    assert tiled() == [((32, 96), (0, 1)), ((96, 32), (1, 0))]


@pytest.mark.parametrize("name", MODELS)
def test_copies_come_first_stay_in_each_threads_memory_and_need_no_barrier(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    schedule = scheduled(made(name))
    found = [value for value in schedule.graph.values if is_private(value)]
    assert found
    places = sorted((schedule.local[value].offset, schedule.local[value].size) for value in found)
    assert all(first + size <= second for (first, size), (second, _) in itertools.pairwise(places))
    assert not set(found) & set(schedule.buffers)
    for groups in schedule.groups:
        assert [group.private for group in groups] == sorted((group.private for group in groups), reverse=True)
    monkeypatch.setattr(passes, "turn", lambda graph, batch_size: graph)
    assert schedule.barriers == scheduled(made(name)).barriers


@pytest.mark.parametrize("name", MODELS)
def test_no_bit_depends_on_it(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    one, two, three = (trained(made(name), threads) for threads in (1, 2, 3))
    monkeypatch.setattr(passes, "turn", lambda graph, batch_size: graph)
    plain = trained(made(name), 2)
    for other in (two, three, plain):
        assert same_bits(one, other)
