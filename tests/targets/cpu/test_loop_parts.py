"""Paddings and concatenations in, loops without conditions and the reference's numbers out."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from tests.native import assert_agree
from trainer_cli.compiler.fuse import fuse
from trainer_cli.compiler.simplify import simplify
from trainer_cli.ir import language as ir
from trainer_cli.ir.graph import BATCH, Graph, Value
from trainer_cli.targets.cpu.kernel_source import write_kernel

HEIGHT, WIDTH, CHANNELS, ROWS = 3, 4, 5, 6


def check(graph: Graph) -> None:
    random = np.random.default_rng(0)
    given = {
        name: random.normal(size=(ROWS, *value.shape[1:])).astype(np.float32)
        for name, value in graph.leaves("input").items()
    }
    assert_agree(graph, given, ROWS, batch_size=8)


def spread(x: Value, first: tuple[int, int], step: int, size: tuple[int, int]) -> Value:
    """x at every `step`-th place of a larger image from `first` on, and 0 elsewhere."""
    ends = [low + (int(extent) - 1) * step + 1 for low, extent in zip(first, x.shape[1:3], strict=True)]  # type: ignore[call-overload]
    high = [whole - end for whole, end in zip(size, ends, strict=True)]
    return ir.pad(x, (0, *first, 0), (0, *high, 0), (0, step - 1, step - 1, 0))


def text(graph: Graph) -> str:
    fusion = fuse(graph)
    return "\n".join(write_kernel(kernel, fusion.replicated, {}).definitions for kernel in fusion.kernels)


@pytest.mark.parametrize("step", [2, 3, 4])
@pytest.mark.parametrize("more", [(0, 0), (1, 2), (4, 3)], ids=str)
def test_phases_are_put_together(step: int, more: tuple[int, int]) -> None:
    graph = Graph()
    size = (HEIGHT * step + more[0], WIDTH * step + more[1])
    phases = list(itertools.product(range(step), repeat=2))
    parts = [
        spread(graph.input(f"x{n}", (BATCH, HEIGHT, WIDTH, CHANNELS)), first, step, size)
        for n, first in enumerate(phases[:5])
    ]
    whole = sum(parts[1:], parts[0])
    graph.outputs = {"result": ir.maximum(whole, graph.input("least", (BATCH, *size, CHANNELS)))}
    graph = simplify(graph)
    assert ("%" in text(graph)) == (step == 4)
    check(graph)


def test_different_steps_along_one_axis_keep_their_conditions() -> None:
    graph = Graph()
    small, large = graph.input("small", (BATCH, 4, 4, 3)), graph.input("large", (BATCH, 6, 6, 3))
    whole = spread(large, (0, 1), 2, (12, 12)) + spread(small, (2, 0), 3, (12, 12))
    graph.outputs = {"result": ir.exp(whole)}
    check(simplify(graph))


@pytest.mark.parametrize(("low", "high"), [((1, 1), (1, 1)), ((0, 0), (1, 1)), ((2, 0), (0, 3))])
def test_a_frame_of_zeros_has_loops_of_its_own(low: tuple[int, int], high: tuple[int, int]) -> None:
    graph = Graph()
    x = ir.exp(graph.input("x", (BATCH, HEIGHT, WIDTH, CHANNELS)))
    graph.outputs = {"result": ir.pad(x, (0, *low, 0), (0, *high, 0))}
    graph = simplify(graph)
    assert " if " not in text(graph)
    check(graph)


def test_parts_along_an_outer_axis_have_loops_of_their_own() -> None:
    graph = Graph()
    parts = [ir.exp(graph.input(name, (BATCH, extent, CHANNELS))) for name, extent in (("a", 2), ("b", 1), ("c", 3))]
    graph.outputs = {"result": ir.concatenate([*parts], 1)}
    check(simplify(graph))
