"""The recenter pass: variances over a batch in, the same numbers without a second pass over what they are of out."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.native import NativeGraph, assert_agree
from tests.programs import program
from trainer_cli.compiler.factor import factor
from trainer_cli.compiler.lower import lower
from trainer_cli.compiler.recenter import recenter
from trainer_cli.compiler.schedule import make_schedule
from trainer_cli.compiler.simplify import simplify
from trainer_cli.ir import language as ir
from trainer_cli.ir.graph import BATCH, Graph, reachable

HEIGHT, WIDTH, CHANNELS, ROWS = 3, 4, 20, 11


def variance(center: Any = None, axes: tuple[int, ...] = (0, 1, 2)) -> Graph:
    """The variance of x along axes, around its mean or what `center(x, mean)` gives."""
    graph = Graph()
    x = ir.exp(graph.input("x", (BATCH, HEIGHT, WIDTH, CHANNELS)))
    inner = tuple(axis for axis in axes if axis > 0)
    count = float(np.prod([(0, HEIGHT, WIDTH, CHANNELS)[axis] for axis in inner]) * ROWS)
    mean = ir.reduce_sum(ir.reduce_sum(x, inner), 0) / count
    around = mean if center is None else center(x, mean)
    kept = [extent if axis not in axes else 1 for axis, extent in enumerate(x.shape)][1:]
    apart = x - ir.broadcast_to(ir.reshape(around, tuple(kept)), x.shape)
    graph.outputs = {"mean": mean, "result": ir.reduce_sum(ir.reduce_sum(apart * apart, inner), 0) / count}
    return simplify(graph)


def given(scale: float = 1.0) -> dict[str, Any]:
    return {"x": scale * np.random.default_rng(0).normal(size=(ROWS, HEIGHT, WIDTH, CHANNELS)).astype(np.float32)}


@pytest.mark.parametrize("axes", [(0, 1, 2), (0, 2, 3), (0, 1, 2, 3)], ids=str)
def test_the_variance_over_a_batch_is_made_of_the_rows_own(axes: tuple[int, ...]) -> None:
    graph = variance(axes=axes)
    assert recenter(graph) is not graph
    assert_agree(graph, given(), ROWS, batch_size=16)


def test_nothing_but_a_number_for_each_row_waits_for_the_mean() -> None:
    graph = variance()
    schedule = make_schedule(graph, 16)
    late = [kernel for region in schedule.partition.regions[1:] for kernel in region.kernels]
    assert late
    assert all(value.rank < 4 for kernel in late for value in kernel.reads)


def test_any_center_that_waits_for_the_rows_will_do() -> None:
    graph = variance(lambda x, mean: mean + 0.5)
    assert recenter(graph) is not graph
    assert_agree(graph, given(), ROWS, batch_size=16)


def test_a_center_that_is_there_before_the_rows_waits_for_nothing() -> None:
    graph = variance(lambda x, mean: x.graph.weight("center", (CHANNELS,)))
    assert recenter(graph) is graph


def test_means_far_from_zero_cost_no_digits() -> None:
    graph = variance()
    rows = np.random.default_rng(1).normal(size=(ROWS, HEIGHT, WIDTH, CHANNELS))
    logarithms = np.log(1000.0 + rows).astype(np.float32)
    found = NativeGraph(graph, 16).run({"x": logarithms}, ROWS)["result"]
    exact = np.exp(logarithms.astype(np.float64)).var(axis=(0, 1, 2))
    # exp itself is wrong by 6e-5 here: 1e-4 of the deviation.
    np.testing.assert_allclose(found, exact, rtol=1e-3)


def test_batch_normalization_reads_what_it_normalizes_twice_and_not_three_times() -> None:
    layers: list[Any] = [{"type": "conv2d", "filters": 4, "kernel_size": 3}, "batch_normalization", "flatten"]
    made = program([*layers, {"type": "dense", "units": 2}], inputs=(6, 6, 2))
    assert made.train is not None
    graph = simplify(factor(simplify(lower(made.train))))

    def waiting(graph: Graph) -> int:
        """Sums of squares over places around a number that is the same for all rows."""
        found = 0
        for value in reachable(graph.roots()):
            if value.op == "reduce_sum" and value.operands[0].rank == 4 and value.operands[0].op == "multiply":
                left, right = value.operands[0].operands
                center = left.operands[1] if left.op == "subtract" else left
                found += left is right and center.op == "broadcast" and not center.operands[0].batched
        return found

    assert (waiting(graph), waiting(recenter(graph))) == (1, 0)
