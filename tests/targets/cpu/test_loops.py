"""Scans over time on the CPU target: a recurrent network in, the reference's numbers and the same bits
at any number of threads out."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.native import NativeGraph
from trainer_cli.compiler.fuse import fuse
from trainer_cli.compiler.gradient import gradients
from trainer_cli.compiler.nest import nest
from trainer_cli.compiler.partition import partition
from trainer_cli.compiler.simplify import simplify
from trainer_cli.ir import language as ir
from trainer_cli.ir.graph import BATCH, Graph, Value, reachable
from trainer_cli.ir.primitive import IRError
from trainer_cli.targets.reference.interpreter import evaluate

TIME, FEATURES, UNITS = 5, 3, 6


def gated_step(carried: list[Value], slices: list[Value], captured: list[Value]) -> tuple[list[Value], list[Value]]:
    """A cell with a state beside its output, in the manner of an LSTM."""
    hidden, cell = carried
    kernel, recurrent, bias = captured
    drive = ir.contract("bi,io->bo", slices[0], kernel) + ir.contract("bi,io->bo", hidden, recurrent) + bias
    gate = ir.logistic(drive)
    cell = gate * cell + (1.0 - gate) * ir.tanh(drive)
    hidden = ir.tanh(cell) * gate
    return [hidden, cell], [hidden]


def network(backwards: bool = False) -> Graph:
    graph = Graph()
    x = graph.input("x", (BATCH, TIME, FEATURES))
    weights = [
        graph.weight("kernel", (FEATURES, UNITS)),
        graph.weight("recurrent", (UNITS, UNITS)),
        graph.weight("bias", (UNITS,)),
    ]
    zeros = ir.zeros_like(ir.contract("bi,io->bo", ir.reduce_sum(x, 1), weights[0]))
    last, emitted = ir.loop(gated_step, [zeros, zeros], [x], weights, length=TIME, backwards=backwards)
    loss = ir.reduce_mean(ir.square(last[1])) + ir.reduce_mean(emitted[0] * ir.cast(ir.iota(emitted[0], 1), "float"))
    graph.outputs = {"loss": loss, "emitted": emitted[0]}
    found = gradients(loss, [*weights, x])
    graph.updates = {value.name: value - 0.1 * gradient for value, gradient in zip(weights, found, strict=False)}
    graph.outputs["of_x"] = found[-1]
    return graph


def bindings(rows: int) -> dict[str, Any]:
    rng = np.random.default_rng(rows)
    shapes = {"x": (rows, TIME, FEATURES), "kernel": (FEATURES, UNITS), "recurrent": (UNITS, UNITS), "bias": (UNITS,)}
    return {name: rng.normal(size=shape).astype(np.float32) for name, shape in shapes.items()}


@pytest.fixture(scope="module", params=[False, True], ids=["forwards", "backwards"])
def native(request: pytest.FixtureRequest) -> tuple[Graph, NativeGraph]:
    graph = network(request.param)
    return graph, NativeGraph(graph, 20)


@pytest.mark.parametrize("rows", [1, 9, 20])
def test_a_recurrent_step_is_the_references_at_any_number_of_threads(
    native: tuple[Graph, NativeGraph], rows: int
) -> None:
    graph, compiled = native
    given = bindings(rows)
    names = [*graph.outputs, *(f"{name}'" for name in graph.updates)]
    expected = dict(zip(names, evaluate(graph.roots(), given, rows), strict=True))
    runs = [compiled.run(given, rows, threads=threads) for threads in (1, 2, 3)]
    for name, value in expected.items():
        np.testing.assert_allclose(runs[0][name], value, rtol=2e-5, atol=2e-6, err_msg=name)
        for other in runs[1:]:
            assert runs[0][name].tobytes() == other[name].tobytes(), name


def test_steps_need_no_barrier() -> None:
    parts = partition(nest(fuse(simplify(network()))))
    loops = [kernel for kernel in parts.kernels if kernel.root is not None and kernel.root.op == "loop"]
    assert len(loops) == 2
    assert len(parts.regions) <= 3
    assert all(parts.splits[kernel].kind == "rows" for kernel in loops)


def test_the_loop_that_runs_backwards_repeats_no_product_and_emits_nothing_twice() -> None:
    forward, backward = (value for value in simplify(network()).values if value.op == "loop")
    products = [value.op for value in reachable(forward.attributes["results"])].count("contract")
    # One adjoint product for the slices and one for the carried output.
    assert [value.op for value in reachable(backward.attributes["results"])].count("contract") == products == 2
    emitted = backward.attributes["results"][backward.attributes["carries"] :]
    assert len(set(emitted)) == len(emitted)
    assert not any(value.op == "parameter" for value in emitted)


def test_work_on_weights_inside_a_body_is_refused() -> None:
    graph = Graph()
    x, w = graph.input("x", (BATCH, TIME, FEATURES)), graph.weight("w", (FEATURES, FEATURES))

    def step(carried: list[Value], slices: list[Value], captured: list[Value]) -> tuple[list[Value], list[Value]]:
        doubled = ir.tanh(captured[0]) * 2.0
        return [ir.contract("bi,io->bo", carried[0] + slices[0], doubled)], []

    last, _ = ir.loop(step, [ir.reduce_sum(x, 1)], [x], [w], length=TIME)
    graph.outputs = {"last": last[0]}
    with pytest.raises(IRError, match="does not depend on the rows"):
        nest(fuse(simplify(graph)))
