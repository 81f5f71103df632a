"""The collect pass: sums of products with a common factor in, products of sums out."""

from __future__ import annotations

from typing import Any

import numpy as np

from tests.native import assert_agree
from tests.programs import program
from trainer_cli.compiler.collect import collect
from trainer_cli.compiler.fuse import fuse
from trainer_cli.compiler.lower import lower
from trainer_cli.compiler.simplify import simplify
from trainer_cli.ir import language as ir
from trainer_cli.ir.graph import BATCH, Graph, Value

NAMES = ("g", "a", "b", "c")


def graph_of(make: Any, **others: Any) -> Graph:
    """What `make(g, a, b, c)` gives, where g is made last; `others` are further results."""
    graph = Graph()
    values = [graph.input(name, (BATCH, 6)) for name in NAMES]
    a, b, c = (ir.exp(value * 0.5) for value in values[1:])
    g = ir.sqrt(ir.square(values[0]) + a)
    graph.outputs = {"y": make(g, a, b, c)} | {name: other(g, a, b, c) for name, other in others.items()}
    return simplify(graph)


def multiplications(graph: Graph, value: Value) -> list[Value]:
    return [each for each in graph.values if each.op == "multiply" and value in each.operands]


def check(graph: Graph) -> Graph:
    """The collected graph, which computes the same."""
    collected = collect(graph)
    random = np.random.default_rng(0)
    bindings = {name: random.normal(size=(5, 6)).astype(np.float32) for name in NAMES}
    exact = assert_agree(graph, bindings, 5, batch_size=8).run(bindings, 5)
    found = assert_agree(collected, bindings, 5, batch_size=8).run(bindings, 5)
    for name, wanted in exact.items():
        np.testing.assert_allclose(found[name], wanted, rtol=2e-6, atol=1e-6)
    return collected


def root(graph: Graph) -> Value:
    return next(value for value in graph.values if value.op == "sqrt")


def test_a_common_factor_is_multiplied_once() -> None:
    graph = graph_of(lambda g, a, b, c: g * a * 0.5 + (g * b) * c * 3.0 * 0.25)
    assert len(multiplications(graph, root(graph))) == 2
    collected = check(graph)
    assert len(multiplications(collected, root(collected))) == 1
    # The constants of a product are one.
    assert sum(value.op == "constant" and value.attributes["value"] == 0.75 for value in collected.values) == 1


def test_differences_are_collected_too() -> None:
    collected = check(graph_of(lambda g, a, b, c: g * a - b * g))
    assert len(multiplications(collected, root(collected))) == 1


def test_a_product_that_others_read_stays() -> None:
    graph = graph_of(lambda g, a, b, c: g * (a * b) + g * c * 2.0, other=lambda g, a, b, c: g * (a * b))
    # The product itself has another reader: only its own factors, not what is behind, are taken apart.
    collected = check(graph)
    assert len(multiplications(collected, root(collected))) == 2


def test_what_is_made_of_the_factor_stays_with_it() -> None:
    graph = graph_of(lambda g, a, b, c: g * ir.exp(g) * a + g * b)
    assert collect(graph) is graph


def test_sums_without_two_values_to_wait_for_stay() -> None:
    for make in (
        lambda g, a, b, c: g * a + g * 2.0,
        lambda g, a, b, c: g * a + g,
        lambda g, a, b, c: g * a + b * c,
    ):
        graph = graph_of(make)
        assert collect(graph) is graph


def test_the_derivative_of_gelu_is_one_number_in_memory() -> None:
    """Forward the layer stores its result and the derivative, and the backward pass multiplies by it."""
    layers: list[Any] = [{"type": "dense", "units": 12, "activation": "gelu"}, {"type": "dense", "units": 3}]
    graph = program(layers, inputs=(6,)).train
    assert graph is not None
    kernels = fuse(collect(simplify(lower(graph)))).kernels
    forward = [kernel for kernel in kernels if any(value.op == "erf" for value in kernel.computed)]
    assert len(forward) == 1
    stored = [value for value in forward[0].stores if value.batched]
    assert len(stored) == 2
