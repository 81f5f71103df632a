"""The factor pass: sums of products with constants in, products of sums that were there anyway out."""

from __future__ import annotations

from typing import Any

import numpy as np

from tests.native import assert_agree
from tests.programs import program
from trainer_cli.compiler.factor import factor
from trainer_cli.compiler.lower import lower
from trainer_cli.compiler.simplify import simplify
from trainer_cli.ir import language as ir
from trainer_cli.ir.graph import BATCH, Graph, Value

PLACES, CHANNELS = 6, 4


def sums(make: Any) -> Graph:
    """The sum of x over its places, and that of what `make(x, c)` gives; c has a number for each channel."""
    graph = Graph()
    x = graph.input("x", (BATCH, PLACES, CHANNELS))
    c = graph.weight("c", (CHANNELS,))
    graph.outputs = {"plain": ir.reduce_sum(x, 1), "other": make(x, c)}
    return simplify(graph)


def count(graph: Graph, op: str) -> int:
    return sum(value.op == op for value in graph.values)


def repeated(c: Value, x: Value) -> Value:
    return ir.broadcast_to(c, x.shape)


def check(graph: Graph) -> None:
    random = np.random.default_rng(0)
    x = random.normal(size=(5, PLACES, CHANNELS)).astype(np.float32)
    assert_agree(graph, {"x": x, "c": random.normal(size=CHANNELS).astype(np.float32)}, 5, batch_size=8)


def test_a_sum_that_differs_by_a_factor_for_each_channel_is_no_sum_of_its_own() -> None:
    graph = sums(lambda x, c: ir.reduce_sum(x * repeated(c, x), 1))
    factored = simplify(factor(graph))
    assert (count(graph, "reduce_sum"), count(factored, "reduce_sum")) == (2, 1)
    check(factored)


def test_one_factor_for_everything_goes_in_front_of_the_sum_too() -> None:
    factored = simplify(factor(sums(lambda x, c: ir.reduce_sum(x * 3.0, 1))))
    assert count(factored, "reduce_sum") == 1
    check(factored)


def test_factors_that_change_along_the_sum_stay_inside() -> None:
    graph = sums(lambda x, c: ir.reduce_sum(x * ir.broadcast_to(ir.reshape(ir.exp(c), (1, CHANNELS)), x.shape) * x, 1))
    assert factor(graph) is graph
    along = sums(lambda x, c: ir.reduce_sum(x * repeated(c, x), 2))
    assert factor(along) is along


def test_a_sum_that_nobody_else_takes_stays_as_it_is() -> None:
    graph = sums(lambda x, c: ir.reduce_sum(ir.exp(x) * repeated(c, x), 1))
    assert factor(graph) is graph


def test_the_sum_of_what_is_negated_is_negated() -> None:
    graph = sums(lambda x, c: ir.reduce_sum(-x, 1))
    assert count(graph, "reduce_sum") == 1
    check(graph)


def test_the_gradient_of_a_mean_over_the_batch_needs_no_pass_of_its_own() -> None:
    layers: list[Any] = [{"type": "conv2d", "filters": 4, "kernel_size": 3}, "batch_normalization", "flatten", "dense"]
    layers[-1] = {"type": "dense", "units": 2}
    made = program(layers, inputs=(6, 6, 2))
    assert made.train is not None
    graph = simplify(lower(made.train))
    factored = simplify(factor(graph))
    places = [value for value in factored.values if value.op == "reduce_sum" and value.operands[0].rank == 4]
    before = [value for value in graph.values if value.op == "reduce_sum" and value.operands[0].rank == 4]
    assert len(places) < len(before)
