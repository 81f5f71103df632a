"""Bodies of loops in; which of their values lie in sequences, and the reference's numbers wherever they lie, out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from tests.native import assert_agree
from trainer_cli.compiler.schedule import make_schedule
from trainer_cli.ir import language as ir
from trainer_cli.ir.graph import BATCH, Graph, Value
from trainer_cli.targets.cpu.steps import rows_apart

TIME, WIDTH = 4, 6

Body = Callable[[Value, Value], tuple[Value, list[Value]]]
"""The carried value and a slice in; the next carried value and what is emitted out."""


def elementwise(h: Value, x: Value) -> tuple[Value, list[Value]]:
    new = ir.tanh(h + x)
    return new, [new * x]


def carried_itself(h: Value, x: Value) -> tuple[Value, list[Value]]:
    new = h * 0.5 + x
    return new, [new, new, x]


def along_rows(h: Value, x: Value) -> tuple[Value, list[Value]]:
    shares = ir.exp(x - ir.broadcast_to(ir.reshape(ir.reduce_max(x, 1), (BATCH, 1)), x.shape))
    total = ir.reduce_sum(shares, 1)
    return h + shares, [shares, total]


def moved(h: Value, x: Value) -> tuple[Value, list[Value]]:
    square = ir.transpose(ir.reshape(x, (BATCH, 2, 3)), (0, 2, 1))
    return h + ir.reshape(square, (BATCH, WIDTH)), [square, ir.concatenate([h, x, h * x], -1)]


def product(h: Value, x: Value) -> tuple[Value, list[Value]]:
    kernel = ir.constant(h.graph, np.arange(WIDTH * WIDTH, dtype=np.float32).reshape(WIDTH, WIDTH) / 40)
    new = ir.contract("bi,io->bo", x, kernel) + h
    return new * 0.1, [new, ir.contract("bi,bi->b", new, x)]


def pooled(h: Value, x: Value) -> tuple[Value, list[Value]]:
    """A root that reads its operand by places of its own: what it touches is copied."""
    cubes = ir.reshape(x, (BATCH, 2, 3))
    return h + x, [ir.reduce_sum(cubes, 1), x * 2.0]


def masked(h: Value, x: Value) -> tuple[Value, list[Value]]:
    mask = ir.cast(ir.greater_equal(x, 0.5), "float")
    return h * mask, [mask * x]


BODIES: dict[str, Body] = {
    body.__name__: body for body in (elementwise, carried_itself, along_rows, moved, product, pooled, masked)
}


def scanned(body: Body, backwards: bool = False) -> Graph:
    graph = Graph()
    x = graph.input("x", (BATCH, TIME, WIDTH))
    zeros = ir.zeros(graph, (BATCH, WIDTH))

    def step(carried: list[Value], slices: list[Value], _: list[Value]) -> tuple[list[Value], list[Value]]:
        following, emitted = body(carried[0], slices[0])
        return [following], emitted

    last, stacks = ir.loop(step, [zeros], [x * 1.5], length=TIME, backwards=backwards)
    graph.outputs = {"last": last[0] + 1.0, **{f"stack_{n}": stack * 2.0 for n, stack in enumerate(stacks)}}
    return graph


@pytest.mark.parametrize("backwards", [False, True], ids=["forwards", "backwards"])
@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES.keys())
def test_steps_are_right_wherever_they_lie(body: Body, backwards: bool) -> None:
    x: Any = np.random.default_rng(0).random((19, TIME, WIDTH), dtype=np.float32)
    assert_agree(scanned(body, backwards), {"x": x}, 19, batch_size=24)


def _apart(body: Body) -> list[int]:
    """The elements between rows of the values that lie in sequences."""
    (kernel,) = (one for one in make_schedule(scanned(body), 8).partition.kernels if one.inner is not None)
    return sorted(step for (step,) in rows_apart(kernel).values())


def test_slices_and_results_of_simple_kernels_stay_in_their_sequences() -> None:
    assert _apart(elementwise) == [TIME * WIDTH, TIME * WIDTH], "the slice and what is emitted"
    assert TIME in _apart(along_rows), "a number per row and step"


def test_what_other_roots_touch_is_copied() -> None:
    assert len(_apart(pooled)) < 3
