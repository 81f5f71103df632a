"""The rematerialize pass: networks in, the same bits with less memory out."""

from __future__ import annotations

from typing import Any

import numpy as np

from tests.native import assert_agree
from tests.programs import program, rows_for, same_bits, train
from trainer_cli.compiler.fuse import fuse
from trainer_cli.compiler.kernels import is_recomputed, storage
from trainer_cli.compiler.memory import Schedule
from trainer_cli.compiler.partition import partition
from trainer_cli.compiler.rematerialize import LEAST_BYTES, rematerialize
from trainer_cli.compiler.schedule import make_schedule
from trainer_cli.compiler.simplify import simplify
from trainer_cli.ir import language as ir
from trainer_cli.ir.graph import BATCH, Graph, Value, reachable

PLACES, CHANNELS, ROWS = 40, 24, 13
LARGE = LEAST_BYTES // (4 * PLACES * CHANNELS) + 1


def normalized(read: Any, before: Any = lambda x: x) -> Graph:
    """What `before` makes of x around the mean over the batch, first multiplied and then, late, read by `read(y, sum)`.

    The sum is one of what the product gives over the batch, and x itself is read beside it.
    """
    graph = Graph()
    x, kernel = graph.input("x", (BATCH, PLACES, CHANNELS)), graph.weight("kernel", (CHANNELS, CHANNELS))
    x = ir.contract("bpc,cd->bpd", x, kernel)
    mean = ir.reduce_sum(ir.reduce_sum(x, 1), 0) * 0.01
    y = ir.maximum(before(x) - ir.broadcast_to(mean, x.shape), 0.0)
    product = ir.contract("bpc,cd->bpd", y, kernel)
    late = ir.broadcast_to(ir.reduce_sum(ir.reduce_sum(product, 1), 0) * 0.01, x.shape)
    graph.outputs = {"result": read(y, late), "beside": ir.reduce_sum(x * ir.tanh(late), 1)}
    return simplify(graph)


def made_again(graph: Graph, batch_size: int = LARGE) -> list[Value]:
    return [value for value in reachable(rematerialize(graph, batch_size).roots()) if "late" in value.attributes]


def check(graph: Graph) -> None:
    random = np.random.default_rng(0)
    given = {"x": random.normal(size=(ROWS, PLACES, CHANNELS)), "kernel": random.normal(size=(CHANNELS, CHANNELS)) / 5}
    assert_agree(graph, {name: array.astype(np.float32) for name, array in given.items()}, ROWS, batch_size=LARGE)


def product(y: Value, late: Value) -> Value:
    return ir.contract("bpc,cd->bpd", y, y.graph.weight("kernel", (CHANNELS, CHANNELS))) * late


def test_what_a_loop_reads_late_is_made_again_for_it() -> None:
    # The product itself could be early: it takes part late only with what is known by then.
    graph = normalized(lambda y, late: ir.contract("bpc,bpd->bcd", y, y * late))
    found = made_again(graph)
    assert [value.op for value in found] == ["subtract", "maximum"]
    assert not any(map(is_recomputed, found))
    check(graph)


def test_who_reads_it_in_place_needs_no_memory_for_it() -> None:
    graph = normalized(lambda y, late: y * late)
    found = made_again(graph)
    assert [value.op for value in found] == ["subtract", "maximum"]
    assert all(map(is_recomputed, found))
    check(graph)


def test_a_mask_of_it_is_read_of_the_copy() -> None:
    graph = normalized(lambda y, late: ir.select(ir.greater(y, 0.0), late, late * 2.0))
    assert [value.op for value in made_again(graph)] == ["subtract", "maximum"]
    check(graph)


def test_a_padded_copy_is_made_again() -> None:
    def padded(y: Value, late: Value) -> Value:
        wide = ir.pad(y, (0, 1, 0), (0, 1, 0))
        both = ir.contract("bpc,bqc->bpq", wide, wide)
        mean = ir.broadcast_to(ir.reduce_sum(ir.reduce_sum(both, (1, 2)), 0) * 0.01, (BATCH, PLACES, CHANNELS))
        again = ir.contract("bpc,bqc->bpq", wide, ir.pad(y * mean, (0, 1, 0), (0, 1, 0)))
        return ir.reduce_sum(again, 2)

    graph = normalized(padded)
    assert "pad" in [value.op for value in made_again(graph)]
    check(graph)


def test_what_is_dear_small_or_read_early_alone_stays() -> None:
    assert made_again(normalized(lambda y, late: y * late, before=ir.tanh)) == []
    assert made_again(normalized(lambda y, late: y * late), LARGE // 2) == []
    assert made_again(normalized(lambda y, late: ir.tanh(y))) == []


def test_it_runs_where_it_is_read() -> None:
    graph = rematerialize(normalized(lambda y, late: ir.contract("bpc,bpd->bcd", y, y * late)), LARGE)
    parts = partition(fuse(graph))
    place = {
        value: number for number, region in enumerate(parts.regions) for k in region.kernels for value in k.computed
    }
    first, again = (value for value in graph.values if value.op == "maximum")
    (reader,) = (v for v in graph.values if v.op == "contract" and again in v.operands)
    assert place[first] < place[again] == place[reader]


def network() -> Any:
    def convolution(filters: int, **other: Any) -> dict[str, Any]:
        return {"type": "conv2d", "filters": filters, "kernel_size": 3, "padding": "same", **other}

    relu = {"type": "activation", "activation": "relu"}
    return program(
        [
            *(convolution(8), "batch_normalization", {**relu, "name": "begin"}),
            *(convolution(8), "batch_normalization", relu),
            *(convolution(8), "batch_normalization"),
            {"type": "add", "inputs": ["begin", "batch_normalization_3"], "name": "sum"},
            *(convolution(16, strides=2), "batch_normalization", relu, "global_average_pooling2d"),
            {"type": "dense", "units": 4, "activation": "softmax"},
        ],
        "sparse_categorical_crossentropy",
        "adam",
        inputs=(16, 16, 3),
    )


def arena_of(value: Value, schedule: Schedule) -> bool:
    return storage(value) in schedule.buffers


def test_a_network_trains_to_the_same_numbers_on_any_number_of_threads() -> None:
    made = network()
    rows = rows_for(made, 75)
    states = [train(made, rows, steps=4, batch_size=35, threads=threads)[0] for threads in (1, 2, 3)]
    assert same_bits(states[0], states[1])
    assert same_bits(states[0], states[2])
    wanted, _ = train(made, rows, steps=4, batch_size=35, target="reference")
    for name, array in states[0].items():
        np.testing.assert_allclose(array, wanted[name], rtol=1e-2, atol=1e-3, err_msg=name)


def test_the_activations_of_a_network_do_not_wait_for_the_backward_pass() -> None:
    made = network()
    assert made.train is not None
    schedule = make_schedule(made.train, 64, 1 << 20)
    maxima = [
        value for k in schedule.partition.kernels for value in k.stores if value.op == "maximum" and value.rank == 4
    ]
    assert maxima
    kept = [value for value in maxima if arena_of(value, schedule)]
    assert all(value.layer in ("sum", None) for value in kept), kept
