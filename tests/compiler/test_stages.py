"""Stages, costs and the checks between passes: kernels and graphs in, their loops, figures and refusals out."""

from __future__ import annotations

import pytest

from trainer_cli.compiler.cost import operations_of, step_cost
from trainer_cli.compiler.fuse import fuse
from trainer_cli.compiler.gradient import gradients
from trainer_cli.compiler.lower import lower
from trainer_cli.compiler.simplify import simplify
from trainer_cli.compiler.stages import Stages, stages_of
from trainer_cli.compiler.verify import verify_graph
from trainer_cli.ir import language as ir
from trainer_cli.ir.graph import BATCH, Graph, Value, reachable
from trainer_cli.ir.primitive import IRError


def stages(graph: Graph) -> tuple[Stages, dict[str, Value]]:
    fusion = fuse(simplify(graph))
    (kernel,) = [kernel for kernel in fusion.kernels if kernel.outer is not None]
    return stages_of(kernel, fusion.replicated), {value.op: value for value in kernel.body}


def test_a_softmax_takes_three_loops_along_a_row() -> None:
    graph = Graph()
    x = graph.input("x", (BATCH, 7))
    shifted = ir.exp(x - ir.reduce_max(x, 1, keepdims=True))
    graph.outputs["y"] = shifted / ir.reduce_sum(shifted, 1, keepdims=True)
    found, by_op = stages(graph)
    assert {op: found.stage[value] for op, value in by_op.items()} == {
        "reduce_max": 0,
        "subtract": 1,
        "exp": 1,
        "reduce_sum": 1,
        "divide": 2,
    }
    assert found.count == 3
    # The exponentials are read again by a later loop: they need a buffer.
    assert found.crossing == {by_op["exp"]}


def test_numbers_of_a_row_are_computed_between_loops() -> None:
    graph = Graph()
    x, scale = graph.input("x", (BATCH, 7)), graph.input("scale", (BATCH,))
    factor = ir.sqrt(ir.exp(scale) + ir.reduce_sum(x, 1))
    graph.outputs["y"] = x * ir.broadcast_to(ir.reshape(factor, (BATCH, 1)), x.shape)
    found, by_op = stages(graph)
    assert found.row(-1) == [by_op["exp"]]
    assert found.row(0) == [by_op["add"], by_op["sqrt"]]
    assert found.along(1) == [by_op["multiply"]]
    assert not found.crossing


def test_the_cost_of_a_dense_layer() -> None:
    graph = Graph()
    x, w = graph.input("x", (BATCH, 20)), graph.weight("w", (20, 10))
    y = ir.contract("bi,io->bo", x, w)
    graph.outputs["y"] = y + 1.0
    graph.updates["w"] = w * 0.5
    cost = step_cost(graph, 8)
    assert cost.operations == 2 * 8 * 20 * 10 + 8 * 10 + 20 * 10
    assert cost.bytes == 4 * (8 * 20 + 20 * 10 + 8 * 10 + 20 * 10)


def test_the_operations_of_single_values() -> None:
    graph = Graph()
    x = graph.input("x", (BATCH, 6, 5, 3))
    kernel = graph.weight("k", (2, 3, 3, 4))
    geometry = {"strides": (1, 1), "padding": ((0, 0), (0, 0)), "dilation": (1, 1), "groups": 1}
    y = graph.emit("convolve", (x, kernel), **geometry)
    assert operations_of(y, 8) == 2 * (8 * 5 * 3) * (2 * 3 * 3 * 4)
    back = graph.emit("convolve_input_gradient", (y, kernel), space=(6, 5), **geometry)
    assert operations_of(back, 8) == operations_of(y, 8)
    weights = graph.emit("convolve_kernel_gradient", (x, y), window=(2, 3), **geometry)
    assert operations_of(weights, 8) == operations_of(y, 8)
    assert operations_of(ir.reduce_sum(x, 0), 8) == 8 * 90
    assert operations_of(ir.reshape(x, (BATCH, 90)), 8) == 0
    assert operations_of(ir.less(x, 1.0), 8) == 0


def test_padding_and_spreading_add_no_operations() -> None:
    """A product with a zero that `lower` puts in between is no work."""
    graph = Graph()
    y, kernel = graph.input("y", (BATCH, 8, 8, 4)), graph.weight("k", (3, 3, 2, 4))
    geometry = {"strides": (2, 2), "padding": ((0, 1), (0, 1)), "dilation": (1, 1), "groups": 1}
    graph.outputs["x"] = graph.emit("convolve_input_gradient", (y, kernel), space=(16, 16), **geometry)
    lowered = simplify(lower(graph))
    assert any(value.op == "pad" for value in reachable(lowered.roots()))
    assert step_cost(graph, 8).operations == 2 * (8 * 8 * 8) * (3 * 3 * 2 * 4)
    products = [value for value in reachable(lowered.roots()) if value.op == "convolve_input_gradient"]
    assert sum(operations_of(value, 8) for value in products) == step_cost(graph, 8).operations


def test_a_gradient_is_taken_of_a_float_scalar_alone() -> None:
    graph = Graph()
    x, w = graph.input("x", (BATCH, 3)), graph.weight("w", (3,))
    with pytest.raises(IRError, match="only a float scalar"):
        gradients(x * w, [w])
    with pytest.raises(IRError, match="only a float scalar"):
        gradients(ir.constant(graph, 1, "int"), [w])
    (zeros,) = gradients(ir.reduce_sum(x), [w])
    assert zeros.shape == (3,)


def broken_graphs() -> dict[str, Graph]:
    made = {}
    for name in (
        "stands at position",
        "another graph",
        "reads what comes later",
        "should be",
        "is not part",
        "has shape",
    ):
        graph = Graph()
        w = graph.weight("w", (3,))
        y = ir.exp(w) * 2.0
        graph.updates["w"] = y
        made[name] = graph
    made["stands at position"].values[0].index = 7
    made["another graph"].values[-1].graph = Graph()
    values = made["reads what comes later"].values
    values[-1].operands, values[1].operands = values[1].operands, (values[-1],)
    made["should be"].values[-1].shape = (4,)
    made["is not part"].outputs["z"] = Graph().weight("z", ())
    made["has shape"].updates["w"] = ir.reduce_sum(made["has shape"].updates["w"])
    batched = Graph()
    batched.updates["w"] = batched.input("x", (BATCH,)) * 2.0
    return made | {"has a batch axis": batched}


@pytest.mark.parametrize("rule", broken_graphs())
def test_a_broken_graph_is_refused(rule: str) -> None:
    with pytest.raises(IRError, match=rule):
        verify_graph(broken_graphs()[rule])
