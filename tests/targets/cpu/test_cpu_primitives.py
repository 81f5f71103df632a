"""Every primitive on the CPU target: graphs in, the reference's numbers at every batch size and on any threads out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from tests.ir.test_primitives import EXAMPLES, Example
from tests.native import NativeGraph, assert_agree
from tests.random_graphs import RandomGraph
from trainer_cli.compiler.schedule import make_schedule
from trainer_cli.ir import language as ir
from trainer_cli.ir.graph import BATCH, LEAVES, Graph, Value
from trainer_cli.ir.primitive import TABLE, IRError

WITHOUT_ROWS = {"counter"}
"""Examples of loops whose carried values have no batch axis."""

GROUPS = {
    "numbers": [op for op in TABLE if TABLE[op].family == "elementwise"],
    "structure": [op for op in TABLE if TABLE[op].family == "structure"],
    "sums": ["reduce_sum", "reduce_max", "subtotals", "argmax", "gather", "scatter_add", "random_uniform", "constant"],
    "normalizations": ["softmax", "standardize"],
    "products": ["contract"],
    "convolutions": [op for op in TABLE if TABLE[op].family in ("convolution", "window")],
    "loops": ["loop", "project"],
}
LARGEST_BATCH = 13
UNARY = ("exp", "log", "log1p", "expm1", "sqrt", "tanh", "logistic", "erf", "sin", "cos", "absolute", "sign", "floor")
BINARY = ("add", "subtract", "multiply", "divide", "power", "maximum", "minimum")
COMPARISONS = ("equal", "not_equal", "less", "less_equal")


def add_example(graph: Graph, name: str, example: Example) -> dict[str, Any]:
    """Write one example into a graph as the output `name`; gives its operands by name."""
    values: list[Value] = []
    bound: dict[str, Any] = {}
    for index, operand in enumerate(example.operands):
        leaf = f"{name}_{index}"
        if operand.batched:
            values.append(graph.input(leaf, (BATCH, *operand.array.shape[1:]), operand.dtype))  # type: ignore[arg-type]
        elif operand.dtype == "float":
            values.append(graph.weight(leaf, operand.array.shape))
        else:
            values.append(ir.constant(graph, operand.array, operand.dtype))  # type: ignore[arg-type]
            continue
        bound[leaf] = operand.array
    graph.outputs[name] = example.build(*values)
    return bound


def resized(graph: Graph, bound: dict[str, Any], rows: int) -> dict[str, Any]:
    """Operands with a batch axis repeated or cut to a number of rows."""
    inputs = graph.leaves("input")
    return {
        name: np.resize(array, (rows, *array.shape[1:])) if name in inputs else array for name, array in bound.items()
    }


def test_every_primitive_is_compared() -> None:
    compared = {op for group in GROUPS.values() for op in group}
    assert compared == set(TABLE) - (LEAVES - {"constant"})


@pytest.mark.parametrize("group", GROUPS)
def test_primitives_give_the_reference_numbers(group: str) -> None:
    graph, bound = Graph(), dict[str, Any]()
    for op in GROUPS[group]:
        for index, example in enumerate(EXAMPLES[op]):
            if example.label in WITHOUT_ROWS:
                continue
            bound |= add_example(graph, f"{op}_{index}", example)
    native = NativeGraph(graph, LARGEST_BATCH)
    for rows in (LARGEST_BATCH, 9, 1):
        assert_agree(graph, resized(graph, bound, rows), rows, native=native, step=7, seed=2**32 - 1)


def test_a_loop_without_rows_is_refused() -> None:
    (example,) = [example for example in EXAMPLES["loop"] if example.label in WITHOUT_ROWS]
    graph = Graph()
    add_example(graph, "result", example)
    with pytest.raises(IRError, match="a loop must carry and emit values of the rows"):
        make_schedule(graph, 4)


SPECIAL = np.array([np.nan, np.inf, -np.inf, 0.0, -0.0, 1.0, -1.0, 0.5, -2.5, 3e38, -3e38, 1e-30], dtype=np.float32)


def test_special_numbers_pass_through_elementwise_work_as_in_numpy() -> None:
    graph = Graph()
    x, y = graph.input("x", (BATCH,)), graph.input("y", (BATCH,))
    for op in UNARY:
        graph.outputs[op] = graph.emit(op, (x,))
    for op in ("add", "subtract", "multiply", "divide", "maximum", "minimum"):
        graph.outputs[op] = graph.emit(op, (x, y))
    for op in COMPARISONS:
        graph.outputs[op] = ir.cast(graph.emit(op, (x, y)), "float")
    graph.outputs["select"] = ir.select(ir.less(x, y), x, y)
    graph.outputs["clip"] = ir.clip(x, -1.5, 2.0)
    graph.outputs["infinite"] = ir.maximum(x, -np.inf) + ir.select(ir.less(x, 0.0), np.inf, 0.0)
    graph.outputs["nothing"] = x * np.nan
    pairs = np.stack(np.meshgrid(SPECIAL, SPECIAL), -1).reshape(-1, 2)
    # Compared with NumPy's float32: the reference's float64 does not overflow where float32 does.
    bound = {"x": pairs[:, 0], "y": pairs[:, 1]}
    native = NativeGraph(graph, len(pairs))
    found = native.run(bound, len(pairs))
    with np.errstate(all="ignore"):
        wanted = {op: getattr(np, {"absolute": "abs"}.get(op, op))(bound["x"]) for op in UNARY[:6] + UNARY[8:]}
        wanted |= {
            op: getattr(np, op)(bound["x"], bound["y"]) for op in ("add", "multiply", "divide", "maximum", "minimum")
        }
        wanted |= {op: getattr(np, op)(bound["x"], bound["y"]) for op in COMPARISONS}
        wanted["select"] = np.where(bound["x"] < bound["y"], bound["x"], bound["y"])
        wanted["clip"] = np.clip(bound["x"], -1.5, 2.0)
        wanted["infinite"] = np.maximum(bound["x"], -np.inf) + np.where(bound["x"] < 0, np.inf, 0.0)
        wanted["nothing"] = np.full(len(pairs), np.nan)
    # Sines of huge numbers are not asked for.
    huge = np.abs(bound["x"]) > 1e30
    for name, expected in wanted.items():
        skip = huge & np.isfinite(bound["x"]) if name in ("sin", "cos") else np.zeros(len(pairs), bool)
        np.testing.assert_allclose(found[name][~skip], expected[~skip], rtol=1e-6, atol=1e-30, err_msg=name)


def test_the_first_nan_or_largest_wins_in_reductions() -> None:
    x = np.zeros((6, 4), np.float32)
    x[1, 2] = x[2, 3] = x[2, 1] = np.nan
    x[3] = -np.inf
    x[4, 1] = np.inf
    graph = Graph()
    value = graph.input("x", (BATCH, 4))
    graph.outputs |= {"argmax": ir.argmax(value), "rows": ir.reduce_max(value, 1), "columns": ir.reduce_max(value, 0)}
    graph.outputs |= {"sum": ir.reduce_sum(value), "all": ir.reduce_max(value)}
    found = assert_agree(graph, {"x": x}, 6).run({"x": x}, 6)
    assert found["argmax"].tolist() == [0, 2, 1, 0, 1, 0]
    assert np.isnan(found["all"])


def test_integers_stay_exact() -> None:
    graph = Graph()
    counts, table = graph.input("counts", (BATCH, 3), "int"), ir.constant(graph, np.arange(12).reshape(6, 2), "int")
    graph.outputs |= {
        "sum": ir.reduce_sum(counts, 1),
        "columns": ir.reduce_sum(counts, 0),
        "total": ir.reduce_sum(counts),
        "largest": ir.reduce_max(counts, 1),
        "largest column": ir.reduce_max(counts, 0),
        "argmax": ir.argmax(counts),
        "sign": ir.sign(counts),
        "absolute": ir.absolute(-counts * 3 + 1),
        "bound": ir.clip(counts, -5, 16777217),
        "gathered": ir.gather(table, ir.clip(counts, 0, 5)),
        "chosen": ir.select(ir.less(counts, 3), counts, ir.iota(counts, 1)),
        "bool": ir.cast(counts, "bool"),
        "not": ir.logical_not(ir.cast(counts, "bool")),
    }
    numbers = np.array([[16777217, 2, -7], [0, 3, 3], [-16777219, -1, 0], [5, 16777219, 1]], np.int32)
    bound = {"counts": numbers}
    found = assert_agree(graph, bound, 4, tolerance=0.0).run(bound, 4)
    assert found["columns"].tolist() == numbers.sum(0).tolist()
    assert found["total"] == numbers.sum()


def test_bools_are_stored_read_and_moved() -> None:
    graph = Graph()
    flags = graph.input("flags", (BATCH, 6), "bool")
    constant = ir.constant(graph, np.array([True, False, True, True, False, False]), "bool")
    both = ir.logical_and(flags, ir.broadcast_to(constant, flags.shape))
    graph.outputs |= {
        "moved": ir.reverse(both, (1,)),
        "folded": ir.cast(ir.reshape(both, (BATCH, 2, 3)), "int"),
        "equal": ir.equal(flags, ir.reverse(flags, (1,))),
        "kept": both,
    }
    assert_agree(graph, {"flags": np.random.default_rng(0).integers(0, 2, (11, 6)).astype(bool)}, 11)


LEAF_OUTPUTS: dict[str, Callable[[Graph, Value, Value], Value]] = {
    "an input": lambda graph, x, w: x,
    "a view of an input": lambda graph, x, w: ir.reshape(x, (BATCH, 2, 3)),
    "a weight": lambda graph, x, w: w,
    "a view of a weight": lambda graph, x, w: ir.reshape(w, (3, 2)),
    "a repeated weight": lambda graph, x, w: ir.broadcast_to(w, (BATCH, 6)),
    "a hyper-parameter": lambda graph, x, w: graph.hyperparameter("rate"),
    "a repeated hyper-parameter": lambda graph, x, w: ir.broadcast_to(graph.hyperparameter("rate"), (70, 3)),
    "a number": lambda graph, x, w: ir.constant(graph, 2.5),
    "a repeated number": lambda graph, x, w: ir.broadcast_to(ir.constant(graph, 2.5), (BATCH, 2)),
    "an array": lambda graph, x, w: ir.constant(graph, np.arange(6.0).reshape(2, 3)),
    "a product of a repeated number": lambda graph, x, w: ir.contract(
        "bi,i->b", x, ir.reshape(ir.broadcast_to(graph.hyperparameter("rate"), (1, 6)), (6,))
    ),
    "a product of a hyper-parameter": lambda graph, x, w: ir.contract(
        "ij,jk->ik", ir.reshape(graph.hyperparameter("rate"), (1, 1)), ir.reshape(w, (1, 6))
    ),
    "a counter": lambda graph, x, w: ir.iota(x, 1),
    "a view of a counter": lambda graph, x, w: ir.reshape(ir.iota(x, 0), (BATCH, 3, 2)),
    "the rows": lambda graph, x, w: graph.batch_size() * 2.0,
    "the step": lambda graph, x, w: graph.step() + 1,
    "one random number": lambda graph, x, w: ir.random_uniform(graph.seed(), graph.step(), 3, ()) * 2.0,
    "scalar work": lambda graph, x, w: _scalar_work(graph.hyperparameter("rate"), graph.step()),
}


def _scalar_work(rate: Value, step: Value) -> Value:
    age = ir.cast(step, "float")
    result = ir.maximum(rate, -np.inf) + ir.minimum(age, np.inf) + ir.floor(rate * 10.0) + ir.sign(rate - 0.5)
    result = result + ir.power(rate, age) + ir.sqrt(rate) + ir.logistic(rate) + ir.erf(rate) + ir.absolute(-age)
    result = result + ir.exp(rate) - ir.log(rate) * ir.log1p(rate) / ir.expm1(rate) + ir.tanh(rate) * ir.sin(rate)
    chosen = ir.select(ir.logical_and(ir.less(rate, 0.5), ir.not_equal(age, 3.0)), result, ir.cos(rate))
    flag = ir.logical_not(ir.logical_or(ir.equal(step, 2), ir.less_equal(step, 1)))
    return chosen + ir.cast(ir.cast(rate * 7.0, "int"), "float") + ir.cast(flag, "float")


def test_leaves_and_views_can_be_outputs() -> None:
    graph = Graph()
    x, w = graph.input("x", (BATCH, 6)), graph.weight("w", (6,))
    for name, build in LEAF_OUTPUTS.items():
        graph.outputs[name] = build(graph, x, w)
    random = np.random.default_rng(1)
    bound = {"x": random.normal(size=(9, 6)), "w": random.normal(size=6), "rate": 0.3}
    bound = {name: np.float32(array) if name != "rate" else array for name, array in bound.items()}
    native = assert_agree(graph, bound, 9, step=4, seed=7)
    assert_agree(graph, bound | {"x": bound["x"][:1]}, 1, native=native, step=2**31, seed=7)


def test_a_hyperparameter_that_is_no_number_is_passed_on() -> None:
    graph = Graph()
    rate = graph.hyperparameter("rate")
    graph.outputs |= {"larger": ir.maximum(rate, 1.0), "smaller": ir.minimum(1.0, rate), "sign": ir.sign(rate)}
    found = NativeGraph(graph, 1).run({"rate": np.nan}, 1)
    assert all(np.isnan(number) for number in found.values())


@pytest.mark.parametrize("seed", range(5))
def test_a_random_graph_gives_the_reference_numbers(seed: int) -> None:
    made = RandomGraph(seed, steps=32)
    native = NativeGraph(made.graph, 13)
    for rows in (13, 8, 1):
        assert_agree(made.graph, made.bindings(rows, rows), rows, native=native, step=3)
