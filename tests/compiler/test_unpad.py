"""The unpad pass: convolutions of padded copies in, convolutions that pad by themselves out, and the same numbers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.native import assert_agree
from trainer_cli.compiler.lower import lower
from trainer_cli.compiler.schedule import make_schedule
from trainer_cli.compiler.simplify import simplify
from trainer_cli.compiler.subtotal import subtotal
from trainer_cli.compiler.turn import turn
from trainer_cli.compiler.unpad import unpad
from trainer_cli.ir import language as ir
from trainer_cli.ir.graph import BATCH, Graph, Value, reachable

ROWS = 20
SAME = ((1, 1), (1, 1))


def layer(
    channels: int = 16,
    window: int = 3,
    padding: Any = SAME,
    space: tuple[int, int] = (20, 19),
    other: Any = None,
) -> Graph:
    """A convolution of ReLUs and its gradients; `other` makes a further result of the padded ReLUs."""
    graph = Graph()
    x = ir.maximum(graph.input("x", (BATCH, *space, channels)), 0.0)
    kernel = graph.weight("kernel", (window, window, channels, 16))
    geometry: dict[str, Any] = {"strides": (1, 1), "padding": padding, "dilation": (1, 1), "groups": 1}
    y = graph.emit("convolve", (x, kernel), **geometry)
    adjoint = ir.sin(y)
    graph.outputs = {"by_x": graph.emit("convolve_input_gradient", (adjoint, kernel), space=space, **geometry) * x}
    by_kernel = graph.emit("convolve_kernel_gradient", (x, adjoint), window=(window, window), **geometry)
    graph.updates = {"kernel": kernel - 0.1 * by_kernel}
    if other is not None:
        low, high = ((0, *(pad[side] for pad in padding), 0) for side in (0, 1))
        graph.outputs["other"] = other(ir.pad(x, low, high))
    return graph


def passed(graph: Graph, rows: int = ROWS) -> Graph:
    return subtotal(turn(simplify(lower(graph)), rows), rows)


def pads(graph: Graph) -> list[Value]:
    return [value for value in reachable(graph.roots()) if value.op == "pad"]


def check(graph: Graph, rows: int = ROWS) -> None:
    random = np.random.default_rng(0)
    leaves = {**graph.leaves("input"), **graph.leaves("weight")}
    bindings = {
        name: random.normal(size=[rows if n is BATCH else int(n) for n in value.shape]).astype(np.float32) * 0.2
        for name, value in leaves.items()
    }
    assert_agree(graph, bindings, rows, batch_size=rows, tolerance=2e-5)


@pytest.mark.parametrize("padding", [SAME, ((2, 0), (0, 1)), ((0, 0), (0, 0))])
def test_convolutions_from_squares_need_no_padded_copy(padding: Any) -> None:
    graph = passed(layer(padding=padding))
    assert pads(graph)
    without = unpad(graph)
    assert pads(without) == []
    assert pads(make_schedule(layer(padding=padding), ROWS).graph) == []
    check(layer(padding=padding))


@pytest.mark.parametrize(
    ("made", "rows"),
    [
        (layer(window=5, padding=((2, 2), (2, 2))), ROWS),  # tap by tap
        (layer(channels=4), ROWS),
        (layer(other=lambda padded: padded * 2.0), ROWS),  # the copy has another reader …
        (layer(), 8),  # … here the kernel's gradient, whose rows threads share: there is one subtotal alone
    ],
)
def test_other_copies_stay(made: Graph, rows: int) -> None:
    graph = passed(made, rows)
    before, after = (
        [value for value in pads(each) if value.operands[0].op == "maximum"] for each in (graph, unpad(graph))
    )
    assert len(before) == len(after) == 1
    check(made, rows)


def test_copies_that_hold_more_than_zeros_around_an_image_stay() -> None:
    graph = Graph()
    x = graph.input("x", (BATCH, 8, 8, 16))
    kernel = graph.weight("kernel", (3, 3, 16, 16))
    none: dict[str, Any] = {"strides": (1, 1), "padding": ((0, 0), (0, 0)), "dilation": (1, 1), "groups": 1}
    around = (0, 1, 1, 0)
    copies = [
        ir.pad(x, around, around, fill=1.0),
        ir.pad(x, around, around, (0, 1, 1, 0)),
        ir.pad(x, (0, 4, 4, 0), (0, 4, 4, 0)),
    ]
    graph.outputs = {str(n): graph.emit("convolve", (copy, kernel), **none) for n, copy in enumerate(copies)}
    assert unpad(graph) is graph
    check(graph)
