"""Random graphs: whatever parts write, the invariants of the IR hold and gradients agree with differences."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trainer_cli.compiler.gradient import gradients
from trainer_cli.ir import language as ir
from trainer_cli.ir.graph import BATCH, LEAVES, Graph, Value, reachable
from trainer_cli.ir.primitive import IRError
from trainer_cli.targets.reference.interpreter import evaluate

# Smooth functions whose values stay moderate, so that finite differences are exact enough.
SMOOTH = [ir.tanh, ir.logistic, ir.sin, ir.cos, ir.erf, lambda x: ir.log1p(ir.square(x)), lambda x: -x]
PAIRS = [ir.add, ir.subtract, ir.multiply, lambda a, b: a / (ir.square(b) + 1.0)]


def grow(draw: Any, pool: list[Value]) -> Value:
    """One more value, made of values in the pool by a random word of the language."""
    x = draw(st.sampled_from(pool))
    first = 1 if x.batched else 0
    kind = draw(
        st.sampled_from(["smooth", "pair", "reduce", "reshape", "transpose", "contract", "cut", "join", "repeat"])
    )
    if kind == "pair":
        fitting = [value for value in pool if value.shape == x.shape or value.rank == 0]
        return draw(st.sampled_from(PAIRS))(x, draw(st.sampled_from(fitting)))
    if kind == "reduce" and x.rank > first:
        axis = draw(st.integers(first, x.rank - 1))
        keepdims = draw(st.booleans())
        return draw(st.sampled_from([ir.reduce_sum, ir.reduce_mean]))(x, axis, keepdims)
    if kind == "reshape" and x.rank > first:
        size = int(np.prod([int(extent) for extent in x.shape[first:]], dtype=int))
        shape = draw(st.sampled_from([(size,), (1, size), (size, 1)]))
        return ir.reshape(x, (*x.shape[:first], *shape))
    if kind == "transpose" and x.rank > first:
        return ir.transpose(x, (*range(first), *draw(st.permutations(range(first, x.rank)))))
    if kind == "contract" and x.batched and x.rank == 2:
        units = draw(st.integers(1, 3))
        kernel = x.graph.weight(f"w{len(pool)}", (int(x.shape[1]), units))
        return ir.contract("bi,io->bo", x, kernel)
    if kind == "cut" and x.rank > first and int(x.shape[-1]) > 1:
        starts = [0] * x.rank
        starts[-1] = draw(st.integers(0, int(x.shape[-1]) - 1))
        return ir.slice_(x, starts, x.shape)
    if kind == "join" and x.rank > first and int(x.shape[-1]) < 8:
        return ir.concatenate([x, ir.sin(x)], -1)
    if kind == "repeat" and x.rank < 3:
        wide = ir.reshape(x, (*x.shape[:first], 1, *x.shape[first:]))
        return ir.broadcast_to(wide, (*x.shape[:first], 2, *x.shape[first:]))
    return draw(st.sampled_from(SMOOTH))(x)


@st.composite
def graphs(draw: Any) -> tuple[Graph, list[Value]]:
    graph = Graph()
    pool = [graph.input("x", (BATCH, draw(st.integers(1, 4)))), graph.weight("v", (draw(st.integers(1, 4)),))]
    for _ in range(draw(st.integers(1, 12))):
        pool.append(grow(draw, pool))
    return graph, pool


def bindings(graph: Graph, rows: int) -> dict[str, Any]:
    random = np.random.default_rng(len(graph.values))
    leaves = [value for value in graph.values if value.op in ("input", "weight")]
    return {leaf.name: random.normal(size=[rows if n is BATCH else n for n in leaf.shape]) for leaf in leaves}


@settings(max_examples=60, deadline=None, derandomize=True)
@given(graphs(), st.integers(1, 3))
def test_values_have_the_shape_and_type_that_their_rules_say(made: tuple[Graph, list[Value]], rows: int) -> None:
    graph, pool = made
    for index, value in enumerate(graph.values):
        assert value.index == index
        assert all(operand.index < index for operand in value.operands)
        assert BATCH not in value.shape[1:]
        if value.op not in LEAVES:
            assert value.primitive.shape(value.operands, value.attributes) == (value.shape, value.dtype)
    for value, array in zip(pool, evaluate(pool, bindings(graph, rows), rows), strict=True):
        assert array.shape == tuple(rows if extent is BATCH else extent for extent in value.shape)
        assert array.dtype == np.float64


@settings(max_examples=60, deadline=None, derandomize=True)
@given(graphs())
def test_a_copy_computes_the_same(made: tuple[Graph, list[Value]]) -> None:
    graph, pool = made
    copy, substitution = ir.rebuild(pool)
    assert all(value.graph is copy for value in copy.values)
    bound = bindings(graph, 2)
    expected = evaluate(pool, bound, 2)
    for found, wanted in zip(evaluate([substitution[value] for value in pool], bound, 2), expected, strict=True):
        np.testing.assert_array_equal(found, wanted)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(graphs())
def test_rows_do_not_mix_unless_summed(made: tuple[Graph, list[Value]]) -> None:
    # None of the words above reduces the batch axis: a row computed alone is the row computed in a batch.
    graph, pool = made
    bound = bindings(graph, 3)
    together = evaluate(pool, bound, 3)
    alone = evaluate(pool, bound | {"x": bound["x"][1:2]}, 1)
    for value, many, one in zip(pool, together, alone, strict=True):
        np.testing.assert_allclose(many[1:2] if value.batched else many, one, rtol=1e-12, atol=1e-12)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(graphs())
def test_gradients_agree_with_directional_differences(made: tuple[Graph, list[Value]]) -> None:
    graph, pool = made
    total = ir.reduce_sum(ir.tanh(pool[-1]))
    wanted = [value for value in reachable([total]) if value.op in ("input", "weight")]
    bound = bindings(graph, 2)
    found = evaluate(gradients(total, wanted), bound, 2)
    random = np.random.default_rng(0)
    direction = {value.name: random.normal(size=bound[value.name].shape) for value in wanted}

    def moved(step: float) -> float:
        return float(evaluate([total], bound | {n: bound[n] + step * direction[n] for n in direction}, 2)[0])

    slope = sum(float(np.sum(gradient * direction[value.name])) for value, gradient in zip(wanted, found, strict=True))
    step = 1e-5
    assert slope == pytest.approx((moved(step) - moved(-step)) / (2 * step), rel=1e-5, abs=1e-6)


def test_a_leaf_asked_for_twice_is_one_value_of_one_shape() -> None:
    graph = Graph()
    assert graph.weight("w", (2, 3)) is graph.weight("w", (2, 3))
    with pytest.raises(IRError, match="asked for"):
        graph.weight("w", (3, 2))


def test_values_carry_the_layer_that_made_them() -> None:
    graph = Graph()
    x = graph.input("x", (BATCH, 2))
    with graph.layer("dense_1"):
        y = ir.tanh(x)
    assert (x.layer, y.layer) == (None, "dense_1")
    assert repr(y) == "%1: float batch×2 = tanh(%0)"


def test_a_leaf_that_is_not_bound_is_missed_by_name() -> None:
    graph = Graph()
    with pytest.raises(KeyError, match="momentum"):
        evaluate([graph.hyperparameter("momentum") + 1.0], {}, 1)
