"""Updates on the CPU target: weights and states that kernels read while others write them, and right numbers out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from tests.native import NativeGraph, assert_agree
from trainer_cli.ir import language as ir
from trainer_cli.ir.graph import BATCH, Graph, Value

Build = Callable[[Graph, Value, Value, Value], dict[str, Value]]

# a and b are (70, 20), x is a batch (…, 20). Each case is a step in which some reader needs an old value.
CASES: dict[str, Build] = {
    "exchange": lambda g, a, b, x: {"a": b, "b": a},
    "exchange through views": lambda g, a, b, x: {"a": ir.reshape(ir.reshape(b, (20, 70)), (70, 20)), "b": a},
    "hand on": lambda g, a, b, x: {"a": b, "b": b * 0.5},
    "hand on late": lambda g, a, b, x: {"b": b * 0.5, "a": b},
    "keep": lambda g, a, b, x: {"a": a, "b": b + a},
    "chain": lambda g, a, b, x: {"a": a + b, "b": b - ir.reverse(a, (0,))},
    "rotate rows": lambda g, a, b, x: {"a": ir.reverse(a, (0,)), "b": ir.reverse(b, (1,))},
    "own product": lambda g, a, b, x: {"a": _projected(a), "b": b * 2.0},
    "new value read across": lambda g, a, b, x: _across(a, b),
    "norm over rows": lambda g, a, b, x: {
        "a": a / ir.sqrt(ir.reduce_sum(ir.square(a - b), 0, keepdims=True)),
        "b": b - a,
    },
    "global norm": lambda g, a, b, x: _clipped(a, b),
    "gradient of the rows": lambda g, a, b, x: _trained(a, b, x),
    "number": lambda g, a, b, x: {"a": ir.zeros_like(a), "b": ir.broadcast_to(g.hyperparameter("rate"), b.shape)},
    "one row for all": lambda g, a, b, x: {"a": ir.broadcast_to(ir.slice_(b, (3, 0), (4, 20)), a.shape), "b": b + 1.0},
}


def _projected(a: Value) -> Value:
    return ir.contract("ik,kj->ij", ir.contract("ij,kj->ik", a, a), a) * 0.01


def _across(a: Value, b: Value) -> dict[str, Value]:
    following = ir.tanh(a + b)
    return {"a": following, "b": b + ir.reverse(following, (0,)) * ir.reverse(a, (0,))}


def _clipped(a: Value, b: Value) -> dict[str, Value]:
    step_a, step_b = ir.sin(a * b), ir.cos(a)
    norm = ir.sqrt(ir.reduce_sum(ir.square(step_a)) + ir.reduce_sum(ir.square(step_b)))
    factor = ir.minimum(1.0, 5.0 / norm)
    return {"a": a - step_a * factor, "b": b - step_b * factor}


def _trained(a: Value, b: Value, x: Value) -> dict[str, Value]:
    hidden = ir.tanh(ir.contract("bi,oi->bo", x, a) * 0.1)
    error = ir.contract("bo,oi->bi", hidden, b) - x
    back = ir.contract("bi,oi->bo", error, b) * (1.0 - ir.square(hidden))
    return {
        "a": a - ir.contract("bo,bi->oi", back, x) * 0.01,
        "b": b - ir.contract("bo,bi->oi", hidden, error) * 0.01,
    }


@pytest.mark.parametrize("name", CASES)
def test_readers_of_old_values_get_them(name: str) -> None:
    graph = Graph()
    a, b, x = graph.weight("a", (70, 20)), graph.state("b", (70, 20)), graph.input("x", (BATCH, 20))
    graph.updates |= CASES[name](graph, a, b, x)
    graph.outputs |= {"columns": ir.reduce_sum(a, 0), "total": ir.reduce_sum(ir.square(b)), "weight": a + 0.0}
    random = np.random.default_rng(3)
    bound: dict[str, Any] = {"x": random.normal(size=(9, 20)).astype(np.float32), "rate": 0.25}
    bound |= {leaf: random.normal(size=(70, 20)).astype(np.float32) for leaf in "ab"}
    native = assert_agree(graph, bound, 9)
    wanted = native.run(bound, 9)
    # A race between threads would show as other bits in some of many runs.
    for _ in range(20):
        found = native.run(bound, 9, threads=3)
        assert all(found[key].tobytes() == wanted[key].tobytes() for key in wanted)


@pytest.mark.parametrize("shape", [(), (1,), (1, 300), (300, 1), (1, 1, 90), (65,), (7, 9)])
def test_tensors_of_any_shape_are_shared_among_threads(shape: tuple[int, ...]) -> None:
    graph = Graph()
    w, s = graph.weight("w", shape), graph.state("s", shape)
    moved = s * 0.9 + ir.sin(w) * 0.1
    graph.updates |= {"s": moved, "w": w - moved * graph.hyperparameter("rate")}
    graph.outputs["size"] = ir.reduce_sum(ir.square(w)) if shape else w * w
    random = np.random.default_rng(0)
    bound: dict[str, Any] = {name: random.normal(size=shape).astype(np.float32) for name in "ws"}
    assert_agree(graph, bound | {"rate": 0.1}, 1, threads=(1, 2, 3, 5))


@pytest.mark.parametrize("batch_size", [1, 3, 64])
def test_any_number_of_rows_can_be_shared_among_more_threads(batch_size: int) -> None:
    graph = Graph()
    x, w = graph.input("x", (BATCH, 5)), graph.weight("w", (5, 1))
    y = ir.logistic(ir.contract("bi,io->bo", x, w))
    graph.outputs |= {"y": y, "mean": ir.reduce_mean(y)}
    graph.updates["w"] = w - ir.contract("bi,bo->io", x, y)
    native = NativeGraph(graph, batch_size)
    random = np.random.default_rng(0)
    for rows in {1, 2, batch_size // 2, batch_size} - {0}:
        if rows <= batch_size:
            bound = {"x": random.normal(size=(rows, 5)).astype("f4"), "w": random.normal(size=(5, 1)).astype("f4")}
            assert_agree(graph, bound, rows, native=native, threads=(1, 2, 3, 4, 9))


@pytest.mark.parametrize("name", ["elements alone", "a column", "a row"])
def test_ragged_gradients_are_finished_as_one_row_where_no_place_is_asked_for(name: str) -> None:
    graph = Graph()
    shapes = {"x": (24, 40), "y": (24, 10), "w": (40, 10), "column": (10,), "row": (40, 1)}
    x, y = graph.input("x", (BATCH, 40)), graph.input("y", (BATCH, 10))
    w, column, row = (graph.weight(leaf, shapes[leaf]) for leaf in ("w", "column", "row"))
    factor = {"elements alone": w, "a column": column, "a row": row}[name]
    graph.updates["w"] = w - ir.contract("bi,bo->io", x, y) * factor
    native = NativeGraph(graph, 24)
    assert ("flat=True" in native.plan.source.text) == (name == "elements alone")
    random = np.random.default_rng(0)
    bound = {leaf: random.normal(size=shape).astype("f4") for leaf, shape in shapes.items()}
    assert_agree(graph, bound, 24, native=native, threads=(1, 2, 3))
