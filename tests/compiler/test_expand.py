"""The expand pass: normalizations in, the elementwise work and sums that they are made of out."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.native import assert_agree
from tests.programs import check_numbers, program, rows_for
from trainer_cli.compiler.expand import expand
from trainer_cli.compiler.gradient import gradients
from trainer_cli.compiler.kernels import has_own_loop
from trainer_cli.compiler.schedule import make_schedule
from trainer_cli.ir import language as ir
from trainer_cli.ir.graph import BATCH, Graph, reachable

ROWS = 5
NORMALIZATIONS: dict[str, Any] = {
    "softmax": ir.softmax,
    "softmax of planes": lambda x: ir.softmax(x, (1, 2)),
    "standardize": lambda x: ir.standardize(x, -1, 1e-3),
    "standardize planes": lambda x: ir.standardize(x, (1, 2), 1e-3),
    "standardize apart": lambda x: ir.standardize(x, 1, 1e-3),
}


def between_products(normalize: Any) -> Graph:
    """A normalization between two products, and the gradients of their kernels."""
    graph = Graph()
    x = graph.input("x", (BATCH, 4, 6))
    first, second = (graph.weight(name, (6, 6)) for name in ("first", "second"))
    middle = normalize(ir.contract("bti,io->bto", x, first))
    last = ir.reduce_sum(ir.square(ir.contract("bti,io->bto", middle, second)))
    graph.outputs = {"last": last} | dict(zip(("d1", "d2"), gradients(last, [first, second]), strict=True))
    return graph


@pytest.mark.parametrize("name", NORMALIZATIONS)
def test_the_parts_give_the_same_numbers(name: str) -> None:
    graph = between_products(NORMALIZATIONS[name])
    parts = {value.op for value in expand(graph).values}
    assert not parts & {"softmax", "standardize"}
    random = np.random.default_rng(0)
    shapes = {"x": (ROWS, 4, 6), "first": (6, 6), "second": (6, 6)}
    given = {key: random.normal(size=shape).astype(np.float32) for key, shape in shapes.items()}
    assert_agree(graph, given, ROWS)


def test_a_graph_without_normalizations_stays_as_it_is() -> None:
    graph = between_products(ir.exp)
    assert expand(graph) is graph


@pytest.mark.parametrize("name", ["softmax", "standardize"])
def test_the_backward_pass_keeps_the_result_alone(name: str) -> None:
    """Of all that has the size of a layer, it reads the normalization's result and nothing else from before it."""
    schedule = make_schedule(between_products(NORMALIZATIONS[name]), ROWS)
    place = {value: number for number, value in enumerate(reachable(schedule.graph.roots()))}
    forward, _, adjoint = (value for value in place if has_own_loop(value) and value.rank == 3)
    (kernel,) = (kernel for kernel in schedule.partition.kernels if adjoint in kernel.reads)
    earlier = [value for value in kernel.reads if value.rank == 3 and place[value] < place[adjoint]]
    assert len(earlier) == 1
    assert earlier != [forward]


def test_normalizations_inside_of_loops() -> None:
    layers: list[Any] = [{"type": "lstm", "units": 4, "activation": "softmax", "recurrent_activation": "softmax"}]
    compiled = program([*layers, {"type": "dense", "units": 1}], inputs=(6, 3))
    rows = rows_for(compiled, 7)
    check_numbers(compiled, rows, 4, rtol=1e-4, atol=1e-5)
