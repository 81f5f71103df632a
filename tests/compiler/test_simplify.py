"""The simplify pass: graphs in, smaller graphs that compute the same out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.random_graphs import RandomGraph
from trainer_cli.compiler.simplify import scalar_constant, simplify
from trainer_cli.ir import language as ir
from trainer_cli.ir.graph import BATCH, Graph, Value
from trainer_cli.targets.reference.interpreter import evaluate


def simplified(build: Callable[[Graph, Value, Value], Value]) -> tuple[list[str], Value]:
    """The operations left of what `build` makes of x (batch, 3) and w (3), leaves not counted, and the result."""
    graph = Graph()
    graph.outputs["y"] = build(graph, graph.input("x", (BATCH, 3)), graph.weight("w", (3,)))
    result = simplify(graph)
    return [value.op for value in result.values if value.operands], result.outputs["y"]


UNCHANGED: dict[str, Callable[[Graph, Value, Value], Value]] = {
    "x + 0": lambda g, x, w: x + 0.0,
    "0 + x": lambda g, x, w: 0.0 + x,
    "x - 0": lambda g, x, w: x - 0.0,
    "x * 1": lambda g, x, w: x * 1.0,
    "1 * x": lambda g, x, w: 1.0 * x,
    "x / 1": lambda g, x, w: x / 1.0,
    "x ** 1": lambda g, x, w: x**1.0,
    "-(-x)": lambda g, x, w: ir.negate(ir.negate(x)),
    "stop": lambda g, x, w: ir.stop_gradient(x),
    "cast": lambda g, x, w: g.emit("cast", (x,), dtype="float"),
    "reshape": lambda g, x, w: ir.reshape(ir.reshape(x, (BATCH, 1, 3)), (BATCH, 3)),
    "the largest of one": lambda g, x, w: ir.reduce_max(ir.reshape(x, (BATCH, 3, 1)), 2),
    "a sum of ones": lambda g, x, w: ir.reduce_sum(ir.reshape(x, (BATCH, 1, 3, 1)), (1, 3)),
}


@pytest.mark.parametrize("name", UNCHANGED)
def test_what_changes_nothing_is_left_out(name: str) -> None:
    operations, result = simplified(UNCHANGED[name])
    assert operations == []
    assert result.op == "input"


REFUSED: dict[str, Callable[[Graph, Value, Value], Value]] = {
    "x * 0": lambda g, x, w: x * 0.0,
    "x - x": lambda g, x, w: x - x,
    "x / x": lambda g, x, w: x / x,
    "x ** 0": lambda g, x, w: x**0.0,
    "0 / x": lambda g, x, w: 0.0 / x,
    "x = x": lambda g, x, w: ir.cast(ir.equal(x, x), "float"),
    "0 - x": lambda g, x, w: 0.0 - x,
    "max of x and −∞": lambda g, x, w: ir.maximum(x, -np.inf),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_nan_never_becomes_a_number(name: str) -> None:
    graph = Graph()
    graph.outputs["y"] = REFUSED[name](graph, graph.input("x", (BATCH, 3)), graph.weight("w", (3,)))
    x = np.array([[np.nan, np.inf, -0.0], [0.0, -np.inf, 1.0]])
    before, after = (evaluate(each.roots(), {"x": x}, 2)[0] for each in (graph, simplify(graph)))
    np.testing.assert_array_equal(before, after)


def test_equal_values_are_merged() -> None:
    operations, _ = simplified(lambda g, x, w: ir.exp(x * w) * ir.exp(x * w))
    assert operations == ["broadcast", "multiply", "exp", "multiply"]
    # Sums over everything are split in two, and both halves are merged too.
    operations, _ = simplified(lambda g, x, w: ir.sin(ir.reduce_sum(x)) + ir.cos(ir.reduce_sum(x)))
    assert operations.count("reduce_sum") == 2


def test_constants_that_are_equal_as_numbers_alone_stay_apart() -> None:
    graph = Graph()
    x = graph.input("x", (BATCH,))
    one, true = ir.constant(graph, 1), ir.constant(graph, True, "bool")
    graph.outputs["y"] = ir.select(ir.broadcast_to(true, x.shape), x, ir.broadcast_to(one, x.shape))
    graph.outputs["zeros"] = x / ir.constant(graph, 0.0) + x / ir.constant(graph, -0.0)
    result = simplify(graph)
    constants = [(value.dtype, repr(value.attributes["value"])) for value in result.values if value.op == "constant"]
    assert sorted(constants) == [("bool", "True"), ("float", "-0.0"), ("float", "0.0"), ("float", "1.0")]


def test_scalars_of_constants_are_computed() -> None:
    operations, result = simplified(lambda g, x, w: x + ir.exp(ir.constant(g, 1.0) * 2.0) / 2.0)
    assert operations == ["broadcast", "add"]
    assert scalar_constant(result.operands[1]) == pytest.approx(np.exp(2.0) / 2.0)


def test_infinite_results_are_not_computed_before() -> None:
    operations, _ = simplified(lambda g, x, w: x * (ir.constant(g, 1.0) / 0.0))
    assert "divide" in operations


def test_work_moves_in_front_of_repeating() -> None:
    operations, result = simplified(lambda g, x, w: ir.tanh(ir.broadcast_to(w, (BATCH, 3)) * 2.0) + x)
    assert operations == ["broadcast", "multiply", "tanh", "broadcast", "add"]
    assert [value.shape for value in result.graph.values if value.op in ("multiply", "tanh")] == [(3,), (3,)]


def test_work_moves_in_front_of_a_reshape() -> None:
    def build(graph: Graph, x: Value, w: Value) -> Value:
        total = ir.reduce_sum(x, 1, keepdims=True)
        return x - ir.log(total) / (total + 1.0)

    _, result = simplified(build)
    shapes = {value.op: value.shape for value in result.graph.values}
    assert shapes["log"] == shapes["divide"] == shapes["add"] == (BATCH,)


def test_repeating_twice_is_repeating_once() -> None:
    operations, _ = simplified(lambda g, x, w: ir.broadcast_to(ir.broadcast_to(w, (2, 3)), (BATCH, 2, 3)))
    assert operations == ["broadcast"]
    operations, _ = simplified(lambda g, x, w: ir.reshape(ir.broadcast_to(g.hyperparameter("r"), (4, 3)), (12,)))
    assert operations == ["broadcast"]
    operations, _ = simplified(lambda g, x, w: ir.reshape(g.hyperparameter("r"), (1, 1)))
    assert operations == ["broadcast"]


@pytest.mark.parametrize("axes", [(0, 1, 2, 3), (0, 2), (0, 2, 3), (1, 3), (0, 1), (2, 3), (0,), (0, 1, 3)])
def test_reductions_are_split_into_neighbouring_axes(axes: tuple[int, ...]) -> None:
    graph = Graph()
    graph.outputs["y"] = ir.reduce_sum(graph.input("x", (BATCH, 2, 3, 4)), axes)
    result = simplify(graph)
    for value in result.values:
        if value.op == "reduce_sum":
            left = value.attributes["axes"]
            assert left == tuple(range(left[0], left[-1] + 1))
            assert value.operands[0].rank == 1 or left != tuple(range(value.operands[0].rank))
    x = np.random.default_rng(0).normal(size=(5, 2, 3, 4))
    np.testing.assert_allclose(evaluate(result.roots(), {"x": x}, 5)[0], x.sum(axes))


def test_a_sum_over_the_batch_and_more_sums_up_each_row_first() -> None:
    """The rows are shared by threads; what is left for one is short."""
    graph = Graph()
    graph.outputs["y"] = ir.reduce_sum(graph.input("x", (BATCH, 2, 3, 4)), (0, 1, 2))
    sums = [value for value in simplify(graph).values if value.op == "reduce_sum"]
    assert [(value.attributes["axes"], value.shape) for value in sums] == [((1, 2), (BATCH, 4)), ((0,), (4,))]


def padded(x: Value, low: int, high: int, fill: float = 0.0, between: int = 0) -> Value:
    return x.graph.emit("pad", (x,), low=(0, low), high=(0, high), interior=(0, between), fill=fill)


def test_parts_with_zeros_around_them_stand_one_behind_the_other() -> None:
    operations, result = simplified(lambda g, x, w: padded(-x, 6, 0) + padded(x * 2.0, 0, 6) + padded(x, 3, 3))
    assert operations.count("concatenate") == 1
    assert not {"pad", "add"} & set(operations)
    assert [part.op for part in result.operands] == ["multiply", "input", "negate"]


@pytest.mark.parametrize(
    "build",
    [
        lambda g, x, w: padded(x, 0, 6) + padded(-x, 6, 0),
        lambda g, x, w: padded(x, 0, 4) + padded(-x, 3, 1) + padded(x * 2.0, 4, 0),
        lambda g, x, w: padded(x, 0, 3, fill=1.0) + padded(-x, 3, 0),
        lambda g, x, w: padded(x, 0, 1, between=1) + padded(-x, 3, 0),
        lambda g, x, w: padded(x, 0, 3) - padded(-x, 3, 0),
        lambda g, x, w: padded(x, 0, 0) + padded(-x, 0, 0),
    ],
    ids=["a gap", "an overlap", "no zeros", "zeros between", "a difference", "no padding"],
)
def test_other_sums_of_parts_stay_as_they_are(build: Callable[[Graph, Value, Value], Value]) -> None:
    operations, _ = simplified(build)
    assert "concatenate" not in operations


def test_argmax_of_one_is_zero() -> None:
    operations, result = simplified(lambda g, x, w: ir.argmax(ir.reshape(x, (BATCH, 3, 1))))
    assert operations == ["broadcast"]
    assert (result.shape, result.dtype) == ((BATCH, 3), "int")


def test_what_nothing_needs_is_left_out() -> None:
    graph = Graph()
    x = graph.input("x", (BATCH, 3))
    graph.input("unused", (BATCH,))
    graph.weight("kept", (2,))
    ir.exp(x)
    graph.outputs["y"] = -x
    graph.updates["kept"] = graph.weight("kept", (2,)) * 0.5
    result = simplify(graph)
    assert set(result.leaves("input")) == {"x"}
    assert "exp" not in [value.op for value in result.values]
    assert set(result.updates) == {"kept"}


def test_an_exchange_of_two_states_keeps_the_old_values() -> None:
    graph = Graph()
    a, b = graph.state("a", (3,)), graph.state("b", (3,))
    graph.updates |= {"a": b, "b": ir.reshape(ir.reshape(a, (3, 1)), (3,)), "c": graph.weight("c", (3,))}
    result = simplify(graph)
    assert {name: value.op for name, value in result.updates.items()} == {
        "a": "stop_gradient",
        "b": "stop_gradient",
        "c": "weight",
    }


def test_layers_stay_known() -> None:
    graph = Graph()
    x = graph.input("x", (BATCH, 3))
    with graph.layer("one"):
        y = ir.exp(x + 0.0)
    graph.outputs["y"] = y
    assert simplify(graph).outputs["y"].layer == "one"


def agree(seed: int, steps: int) -> None:
    made = RandomGraph(seed, steps)
    result = simplify(made.graph)
    bound = made.bindings(4, seed)
    for name, before, after in zip(
        [*made.graph.outputs, *made.graph.updates],
        evaluate(made.graph.roots(), bound, 4),
        evaluate(result.roots(), bound, 4),
        strict=True,
    ):
        assert before.dtype == after.dtype
        np.testing.assert_allclose(after, before, rtol=1e-9, atol=1e-9, err_msg=name)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(st.integers(0, 2**31), st.integers(5, 40))
def test_any_graph_computes_the_same(seed: int, steps: int) -> None:
    agree(seed, steps)


def test_outputs_and_updates_keep_their_order() -> None:
    graph = Graph()
    x = graph.input("x", (BATCH,))
    names: dict[str, Any] = {name: x * (index + 2.0) for index, name in enumerate("zyx")}
    graph.outputs |= names
    assert list(simplify(graph).outputs) == list("zyx")
