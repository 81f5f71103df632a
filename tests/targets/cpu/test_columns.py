"""Sums and maxima over rows, column by column: shapes in, the reference's numbers and the same bits for any threads
out."""

from __future__ import annotations

import numpy as np
import pytest

from tests.native import NativeGraph, assert_agree
from trainer_cli.compiler.recompute import recompute
from trainer_cli.compiler.simplify import simplify
from trainer_cli.ir import language as ir
from trainer_cli.ir.graph import BATCH, Graph

ROWS = 13


def graph_of(places: int, columns: int) -> Graph:
    """Sums and maxima along the places of x, and a sum of squares that are computed in it."""
    graph = Graph()
    x = graph.input("x", (BATCH, places, columns))
    apart = x - ir.broadcast_to(graph.weight("center", (columns,)), x.shape)
    graph.outputs = {
        "sum": ir.reduce_sum(x, 1),
        "maximum": ir.reduce_max(x, 1),
        "squares": ir.reduce_sum(apart * apart, 1),
        "over rows": ir.reduce_sum(ir.tanh(x), 0),
    }
    return simplify(graph)


@pytest.mark.parametrize("columns", [2, 3, 8, 15, 16, 17, 32, 40, 64, 65, 100, 128, 200])
@pytest.mark.parametrize("places", [1, 2, 3, 7, 8, 33])
def test_columns_are_summed_up_in_any_number(places: int, columns: int) -> None:
    graph = graph_of(places, columns)
    if places > 1:
        assert [value.op for value in recompute(graph).values if value.attributes.get("recomputed")]
    random = np.random.default_rng(0)
    x = random.normal(size=(ROWS, places, columns)).astype(np.float32)
    assert_agree(graph, {"x": x, "center": random.normal(size=columns).astype(np.float32)}, ROWS, batch_size=16)


def test_a_maximum_beside_a_nan_is_nan() -> None:
    graph = Graph()
    x = graph.input("x", (BATCH, 9, 16))
    graph.outputs = {"maximum": ir.reduce_max(x, 1)}
    rows = np.random.default_rng(0).normal(size=(ROWS, 9, 16)).astype(np.float32)
    for place in range(9):
        rows[place, place, place] = np.nan
    found = NativeGraph(simplify(graph), 16).run({"x": rows}, ROWS)["maximum"]
    np.testing.assert_array_equal(found, rows.max(axis=1))
