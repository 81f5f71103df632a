"""The nest pass: bodies of loops in; which carried values are written over the ones before them out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from tests.native import assert_agree
from trainer_cli.compiler.schedule import make_schedule
from trainer_cli.ir import language as ir
from trainer_cli.ir.graph import BATCH, Graph, Value

TIME, WIDTH = 5, 4

Body = Callable[[list[Value], Value], tuple[list[Value], list[Value]]]
"""The carried values and a slice in; the next carried values and what is emitted out."""


def weights(like: Value) -> Value:
    return ir.constant(like.graph, np.linspace(-0.5, 0.5, WIDTH * WIDTH, dtype=np.float32).reshape(WIDTH, WIDTH))


def element_by_element(carried: list[Value], x: Value) -> tuple[list[Value], list[Value]]:
    h, c = carried
    c = ir.tanh(c * 0.5 + x)
    return [h * c, c], []


def product_before(carried: list[Value], x: Value) -> tuple[list[Value], list[Value]]:
    """One kernel: each element of its product needs the old row of h, what follows one element of c."""
    h, c = carried
    drive = ir.contract("bi,io->bo", h, weights(h))
    return [ir.tanh(drive + x), c + drive], []


def kept_for_the_gradient(carried: list[Value], x: Value) -> tuple[list[Value], list[Value]]:
    h, c = carried
    return [ir.tanh(h + x), c + x], [h, c * 2.0]


def emitted_too(carried: list[Value], x: Value) -> tuple[list[Value], list[Value]]:
    h, c = carried
    h = ir.tanh(h + x)
    return [h, c + 1.0], [h]


def product_of_itself(carried: list[Value], x: Value) -> tuple[list[Value], list[Value]]:
    """Each element of the result needs the old row."""
    h, c = carried
    return [ir.contract("bi,io->bo", h, weights(h)), c + x], []


def row_by_row(carried: list[Value], x: Value) -> tuple[list[Value], list[Value]]:
    """The row is gone through more than once."""
    h, c = carried
    shares = ir.exp(h - ir.broadcast_to(ir.reshape(ir.reduce_max(h, 1), (BATCH, 1)), h.shape))
    return [shares / ir.broadcast_to(ir.reshape(ir.reduce_sum(shares, 1), (BATCH, 1)), h.shape) + x, c], []


def read_later(carried: list[Value], x: Value) -> tuple[list[Value], list[Value]]:
    """A product reads the old value behind the kernel that computes the new one. Nothing reads the other."""
    h, _ = carried
    new = ir.tanh(h + x)
    return [new, ir.contract("bi,io->bo", h * new, weights(h)) + ir.contract("bi,io->bo", h, weights(h))], []


def turned(carried: list[Value], x: Value) -> tuple[list[Value], list[Value]]:
    h, c = carried
    return [ir.reverse(h, (1,)) + x, c + x], []


BODIES: dict[Body, list[int]] = {
    element_by_element: [0, 1],
    product_before: [1],
    kept_for_the_gradient: [0, 1],
    emitted_too: [1],
    product_of_itself: [1],
    row_by_row: [],
    read_later: [],
    turned: [1],
}
"""Bodies, and the carried values that are written over the ones before."""

IDS = [body.__name__ for body in BODIES]


def scanned(body: Body, backwards: bool = False) -> Graph:
    graph = Graph()
    x = graph.input("x", (BATCH, TIME, WIDTH))
    first = [ir.zeros(graph, (BATCH, WIDTH)), ir.zeros(graph, (BATCH, WIDTH)) + 1.0]

    def step(carried: list[Value], slices: list[Value], _: list[Value]) -> tuple[list[Value], list[Value]]:
        return body(carried, slices[0])

    last, stacks = ir.loop(step, first, [x * 1.5], length=TIME, backwards=backwards)
    graph.outputs = {"h": last[0] + 1.0, "c": last[1] * 2.0, **{f"stack_{n}": s * 2.0 for n, s in enumerate(stacks)}}
    return graph


@pytest.mark.parametrize(("body", "expected"), BODIES.items(), ids=IDS)
def test_what_nobody_needs_any_longer_is_replaced(body: Body, expected: list[int]) -> None:
    (kernel,) = (one for one in make_schedule(scanned(body), 8).partition.kernels if one.inner is not None)
    assert kernel.inner is not None
    positions = [kernel.inner.parameters.index(parameter) for parameter in kernel.inner.replaced.values()]
    assert sorted(positions) == expected


@pytest.mark.parametrize("backwards", [False, True], ids=["forwards", "backwards"])
@pytest.mark.parametrize("body", BODIES, ids=IDS)
def test_every_step_reads_what_the_one_before_has_left(body: Body, backwards: bool) -> None:
    x: Any = np.random.default_rng(0).random((19, TIME, WIDTH), dtype=np.float32)
    assert_agree(scanned(body, backwards), {"x": x}, 19, batch_size=24)


def carried_by_a_product(carried: list[Value], x: Value) -> tuple[list[Value], list[Value]]:
    """What is emitted is the first kernel, what is carried on the second."""
    h, c = carried
    new = ir.tanh(h + x)
    return [ir.contract("bi,io->bo", new, weights(h)), c + 1.0], [new * 2.0]


@pytest.mark.parametrize("backwards", [False, True], ids=["forwards", "backwards"])
@pytest.mark.parametrize("ends_matter", [False, True], ids=["emitted alone", "last ones too"])
def test_the_last_step_computes_nothing_for_a_next_one(ends_matter: bool, backwards: bool) -> None:
    graph = scanned(carried_by_a_product, backwards)
    if not ends_matter:
        del graph.outputs["h"], graph.outputs["c"]
    (kernel,) = (one for one in make_schedule(graph, 8).partition.kernels if one.inner is not None)
    assert kernel.inner is not None
    assert (kernel.inner.last_kernels == len(kernel.inner.kernels)) == ends_matter
    x: Any = np.random.default_rng(0).random((19, TIME, WIDTH), dtype=np.float32)
    assert_agree(graph, {"x": x}, 19, batch_size=24)
