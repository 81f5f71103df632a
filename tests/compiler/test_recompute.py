"""The recompute pass: cheap values that wait behind barriers in, the same numbers without memory for them out."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.native import assert_agree
from tests.programs import program, rows_for, same_bits, train
from trainer_cli.compiler.kernels import is_recomputed
from trainer_cli.compiler.recompute import recompute
from trainer_cli.compiler.schedule import make_schedule
from trainer_cli.compiler.simplify import simplify
from trainer_cli.ir import language as ir
from trainer_cli.ir.graph import BATCH, Graph, Value

PLACES, CHANNELS, ROWS = 6, 20, 11


def centred(last: Any) -> Graph:
    """x, its mean over batch and places, and what `last(x − mean)` makes of the difference."""
    graph = Graph()
    x = ir.exp(graph.input("x", (BATCH, PLACES, CHANNELS)))
    total = ir.reduce_sum(ir.reduce_sum(x, 1), 0)
    mean = ir.broadcast_to(total / float(PLACES * ROWS), x.shape)
    graph.outputs = {"result": last(x - mean)}
    return simplify(graph)


def marked(graph: Graph) -> list[str]:
    return [value.op for value in recompute(graph).values if is_recomputed(value)]


def check(graph: Graph) -> None:
    x = np.random.default_rng(0).normal(size=(ROWS, PLACES, CHANNELS)).astype(np.float32)
    assert_agree(graph, {"x": x}, ROWS, batch_size=16)


def squares(difference: Value) -> Value:
    return ir.reduce_sum(difference * difference, 1)


def test_squares_of_differences_are_computed_in_their_sum() -> None:
    graph = centred(squares)
    assert marked(graph) == ["subtract", "multiply"]
    check(graph)
    stored = [value for kernel in make_schedule(graph, 16).partition.kernels for value in kernel.stores]
    assert [value.op for value in stored if value.rank == 3] == ["exp"]


@pytest.mark.parametrize(
    "last",
    [
        lambda difference: ir.tanh(difference) * difference,
        lambda difference: ir.reduce_sum(difference * ir.tanh(difference), 1),
        lambda difference: ir.reduce_max(difference, 1),
        lambda difference: ir.reduce_sum(difference * 2.0, 2),
        lambda difference: ir.pad(difference, (0, 1, 0), (0, 0, 0), (0, 0, 0)),
        lambda difference: ir.reshape(difference, (BATCH, PLACES * CHANNELS)),
        lambda difference: difference,
    ],
    ids=["elements", "sum", "maximum", "rows", "moved", "reshaped", "result"],
)
def test_whoever_reads_a_difference_gets_the_same_numbers(last: Any) -> None:
    check(centred(last))


def test_a_sum_reads_what_it_is_made_of_in_whatever_shape_that_lies() -> None:
    graph = Graph()
    x = ir.exp(graph.input("x", (BATCH, 1, PLACES, CHANNELS)))
    y = ir.exp(graph.input("y", (BATCH, PLACES, CHANNELS)))
    seen, total = ir.reshape(x, (BATCH, PLACES, CHANNELS)), ir.reduce_sum(y, (0, 1, 2)) / 100.0
    offset = ir.reshape(ir.exp(graph.weight("offset", (CHANNELS, 1))), (CHANNELS,))
    square = graph.weight("square", (PLACES, CHANNELS))
    shifted, over_rows = (seen - ir.broadcast_to(less, seen.shape) for less in (offset, ir.exp(square)))
    graph.outputs = {
        "plain": ir.reduce_sum(seen, 1) + ir.reduce_sum(y, 1),
        "one_for_each_channel": squares(shifted),
        "one_for_each_place": ir.reduce_sum(over_rows * over_rows, 0),
        "one_for_all": squares(y - ir.broadcast_to(total, y.shape)),
    }
    graph = simplify(graph)
    assert sorted(marked(graph)) == ["multiply"] * 3 + ["subtract"] * 3
    random = np.random.default_rng(0)
    given = {
        name: random.normal(size=shape).astype(np.float32)
        for name, shape in (
            ("x", (ROWS, 1, PLACES, CHANNELS)),
            ("y", (ROWS, PLACES, CHANNELS)),
            ("offset", (CHANNELS, 1)),
            ("square", (PLACES, CHANNELS)),
        )
    }
    assert_agree(graph, given, ROWS, batch_size=16)


def adjoint_of_rows(other: Any = None) -> Graph:
    """What a normalization's gradient is made of: an adjoint, times a number that waited for it, summed up by rows."""
    graph = Graph()
    x = ir.tanh(graph.input("x", (BATCH, PLACES, CHANNELS)))
    there, back = (graph.weight(name, (CHANNELS, CHANNELS)) for name in ("there", "back"))
    adjoint = ir.contract("bpc,cd->bpd", ir.contract("bpc,cd->bpd", x, there), back)
    weighted = ir.reduce_sum(adjoint * x, -1, keepdims=True)
    graph.outputs = {"result": x * (adjoint - weighted)} | ({"other": other(adjoint * x)} if other else {})
    return simplify(graph)


def check_adjoint(graph: Graph) -> None:
    random = np.random.default_rng(0)
    x = random.normal(size=(ROWS, PLACES, CHANNELS)).astype(np.float32)
    weights = {name: random.normal(size=(CHANNELS, CHANNELS)).astype(np.float32) / 4 for name in ("there", "back")}
    assert_agree(graph, {"x": x, **weights}, ROWS, batch_size=16)


def test_what_only_the_sum_of_a_row_reads_is_computed_in_it() -> None:
    graph = adjoint_of_rows()
    assert marked(graph) == ["multiply"]
    check_adjoint(graph)


@pytest.mark.parametrize(
    "other",
    [lambda product: product, ir.exp, lambda product: ir.reduce_max(product, 2)],
    ids=["result", "elements", "maximum"],
)
def test_what_others_read_too_is_kept(other: Any) -> None:
    graph = adjoint_of_rows(other)
    assert marked(graph) == []
    check_adjoint(graph)


def test_terms_that_nothing_else_keeps_in_memory_are_not_read_for_a_sum() -> None:
    """The product of two results of products: kept for the sum alone, they would be two numbers instead of one."""
    graph = Graph()
    x = graph.input("x", (BATCH, PLACES, CHANNELS))
    there, back = (graph.weight(name, (CHANNELS, CHANNELS)) for name in ("there", "back"))
    product = ir.contract("bpc,cd->bpd", x, there) * ir.contract("bpc,cd->bpd", x, back)
    graph.outputs = {"result": ir.reduce_sum(product, -1)}
    assert marked(simplify(graph)) == []
    check_adjoint(simplify(graph))


def test_what_is_read_from_memory_is_kept_there() -> None:
    assert marked(centred(lambda difference: ir.reduce_max(difference, 1))) == []
    assert marked(centred(lambda difference: difference)) == []
    assert marked(centred(lambda difference: ir.reshape(difference, (BATCH, PLACES * CHANNELS)))) == []


def test_functions_that_take_long_are_computed_once() -> None:
    assert "tanh" not in marked(centred(lambda difference: ir.reduce_sum(ir.tanh(difference), 1)))


LAYERS: list[Any] = [
    {"type": "conv2d", "filters": 6, "kernel_size": 3, "padding": "same", "use_bias": False},
    "batch_normalization",
    "relu",
    {"type": "conv2d", "filters": 5, "kernel_size": 3},
    {"type": "batch_normalization", "axis": 1},
    "flatten",
    {"type": "dense", "units": 9},
    {"type": "batch_normalization", "scale": False},
    {"type": "dense", "units": 2},
]


def test_normalized_networks_train_alike_at_any_number_of_threads() -> None:
    made = program(LAYERS, inputs=(8, 8, 2), optimizer={"type": "sgd", "learning_rate": 0.05})
    assert made.train is not None
    assert "subtract" in marked(simplify(made.train))
    split = rows_for(made, 40)
    expected, _ = train(made, split, steps=4, batch_size=16, target="reference")
    first, _ = train(made, split, steps=4, batch_size=16)
    for name, array in expected.items():
        np.testing.assert_allclose(first[name], array, rtol=2e-4, atol=2e-5, err_msg=name)
    for threads in (2, 3):
        assert same_bits(first, train(made, split, steps=4, batch_size=16, threads=threads)[0])
