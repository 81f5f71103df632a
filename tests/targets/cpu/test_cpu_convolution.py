"""Convolutions and poolings on the CPU target: every geometry as on the reference, the same bits on 1 to 3 threads."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from tests.native import NativeGraph, assert_agree, reference
from trainer_cli.compiler.lower import lower
from trainer_cli.ir import language as ir
from trainer_cli.ir.graph import BATCH, Graph, Value
from trainer_cli.ir.ops.convolution import output_extent

Pads = tuple[tuple[int, int], ...]


def numbers(random: np.random.Generator, value: Value, rows: int, ties: bool = False) -> Any:
    shape = [rows if extent is BATCH else int(extent) for extent in value.shape]
    return (random.integers(0, 3, shape) if ties else random.normal(size=shape)).astype(np.float32)


def convolutions(
    space: tuple[int, ...],
    window: tuple[int, ...],
    strides: tuple[int, ...],
    padding: Pads,
    dilation: tuple[int, ...],
    groups: int,
    channels: int,
    filters: int,
) -> Graph:
    """A convolution and both its gradients, with work behind each, and an update of the kernel."""
    graph = Graph()
    x = graph.input("x", (BATCH, *space, channels))
    kernel = graph.weight("kernel", (*window, channels // groups, filters))
    geometry: dict[str, Any] = {"strides": strides, "padding": padding, "dilation": dilation, "groups": groups}
    y = graph.emit("convolve", (x, kernel), **geometry)
    adjoint = graph.input("adjoint", y.shape)
    by_x = graph.emit("convolve_input_gradient", (adjoint, kernel), space=space, **geometry)
    by_kernel = graph.emit("convolve_kernel_gradient", (x, adjoint), window=window, **geometry)
    offset, place = graph.weight("offset", (filters,)), ir.cast(ir.iota(y, 1), "float")
    graph.outputs = {"y": ir.maximum(y * 0.5 + offset, place), "by_x": by_x * 2.0, "by_kernel": by_kernel}
    graph.updates = {"kernel": kernel * 0.9 - 0.1 * by_kernel}
    return graph


def check(graph: Graph, rows: int, batch_size: int, seed: int = 0, ties: bool = False) -> NativeGraph:
    random = np.random.default_rng(seed)
    leaves = {**graph.leaves("input"), **graph.leaves("weight")}
    bindings = {name: numbers(random, value, rows, ties) for name, value in leaves.items()}
    return assert_agree(graph, bindings, rows, batch_size=batch_size, tolerance=2e-5)


CONVOLUTIONS: dict[str, tuple[Any, ...]] = {
    "plain": ((6, 5), (3, 3), (1, 1), ((0, 0), (0, 0)), (1, 1), 1, 3, 4),
    "full vectors": ((10, 9), (3, 3), (1, 1), ((1, 1), (1, 1)), (1, 1), 1, 16, 32),
    "full and ragged tiles": ((6, 7), (2, 3), (1, 1), ((0, 1), (1, 0)), (1, 1), 1, 7, 50),
    "long rows": ((40,), (5,), (2,), ((1, 1),), (1,), 1, 3, 40),
    "deep": ((3, 3), (2, 2), (1, 1), ((0, 0), (0, 0)), (1, 1), 1, 150, 6),
    "rows of B that share sets": ((4, 3), (2, 2), (1, 1), ((0, 0), (0, 0)), (1, 1), 1, 3, 512),
    "one position": ((3, 3), (3, 3), (1, 1), ((0, 0), (0, 0)), (1, 1), 1, 2, 5),
    "volumes": ((4, 5, 6), (2, 3, 2), (1, 2, 1), ((1, 0), (0, 1), (1, 1)), (1, 1, 2), 1, 2, 3),
    "groups": ((6, 5), (2, 3), (2, 1), ((1, 0), (1, 2)), (1, 2), 2, 4, 6),
    "apart": ((6, 5), (3, 3), (1, 2), ((1, 1), (1, 1)), (1, 1), 4, 4, 4),
    "apart, several filters": ((6, 5), (3, 3), (2, 1), ((1, 1), (1, 1)), (1, 2), 4, 4, 12),
    "apart, large window": ((9, 8), (6, 5), (1, 1), ((1, 1), (1, 1)), (1, 1), 4, 4, 8),
    "one channel": ((28, 28), (3, 3), (1, 1), ((0, 0), (0, 0)), (1, 1), 1, 1, 32),
    "squares": ((11, 13), (3, 3), (1, 1), ((1, 1), (1, 1)), (1, 1), 1, 8, 16),
    "squares that overlap": ((9, 11), (3, 3), (1, 1), ((0, 0), (1, 1)), (1, 1), 1, 20, 24),
    "squares of groups": ((7, 6), (3, 3), (1, 1), ((1, 0), (1, 1)), (1, 1), 2, 18, 40),
    "squares in several runs": ((4, 139), (3, 3), (1, 1), ((0, 1), (1, 1)), (1, 1), 1, 9, 10),
    "few squares": ((6, 6), (3, 3), (1, 1), ((0, 0), (0, 0)), (1, 1), 1, 12, 8),
    "squares, part of the filters after part": ((4, 5), (3, 3), (1, 1), ((1, 1), (1, 1)), (1, 1), 1, 80, 288),
    "padding wider than the window": ((4, 3), (2, 1), (1, 2), ((2, 3), (1, 1)), (1, 1), 1, 2, 3),
}


@pytest.mark.parametrize("case", CONVOLUTIONS.values(), ids=list(CONVOLUTIONS))
def test_convolutions_agree_with_the_reference(case: tuple[Any, ...]) -> None:
    check(convolutions(*case), rows=11, batch_size=13)


def random_convolution(seed: int) -> tuple[Any, ...]:
    """Any geometry that fits, small."""
    random = np.random.default_rng(seed)
    while True:
        dimensions = int(random.choice([1, 2, 2, 3]))
        draw = [tuple(map(int, random.integers(1, high, dimensions))) for high in (8, 4, 4, 3)]
        space, window, strides, dilation = draw
        padding = tuple((int(a), int(b)) for a, b in random.integers(0, 3, (dimensions, 2)))
        groups = int(random.choice([1, 1, 2, 3]))
        channels, filters = (groups * int(n) for n in random.integers(1, 5, 2))
        if all(n > 0 for n in map(output_extent, space, window, strides, dilation, padding)):
            return space, window, strides, padding, dilation, groups, channels, filters


@pytest.mark.parametrize("seed", range(8))
def test_random_convolutions(seed: int) -> None:
    check(convolutions(*random_convolution(seed)), rows=1 + seed % 10, batch_size=10, seed=seed)


def test_no_row_depends_on_the_others() -> None:
    graph = convolutions(*CONVOLUTIONS["one position"])
    native, random = NativeGraph(graph, 9), np.random.default_rng(3)
    leaves = {**graph.leaves("input"), **graph.leaves("weight")}
    bindings = {name: numbers(random, value, 9) for name, value in leaves.items()}
    many = native.run(bindings, 9)
    one = native.run({**bindings, **{name: bindings[name][:1] for name in graph.leaves("input")}}, 1)
    for name in ("y", "by_x"):
        assert many[name][:1].tobytes() == one[name].tobytes()


def test_lowered_graphs_mean_the_same() -> None:
    for seed in range(40):
        graph = convolutions(*random_convolution(100 + seed))
        random = np.random.default_rng(seed)
        leaves = {**graph.leaves("input"), **graph.leaves("weight")}
        bindings = {name: numbers(random, value, 2) for name, value in leaves.items()}
        exact, lowered = reference(graph, bindings, 2), reference(lower(graph), bindings, 2)
        for name, wanted in exact.items():
            np.testing.assert_allclose(lowered[name], wanted, rtol=1e-9, atol=1e-9)


def test_a_kernel_is_updated_as_a_matrix_in_one_go() -> None:
    """Its gradient and the work behind it share a kernel, whose many rows the threads divide."""
    native = check(convolutions(*CONVOLUTIONS["full vectors"]), rows=2, batch_size=2)
    kernels = [kernel for kernel in native.plan.schedule.partition.kernels if kernel.updates]
    assert [kernel.root.op for kernel in kernels if kernel.root] == ["convolve_kernel_gradient"]
    assert kernels[0].domain == (3 * 3 * 16, 32)


def test_forward_and_subtotals_multiply_squares_where_a_batch_is_large() -> None:
    """The gradient of the kernel too: its rows are summed up in parts, each by one thread."""
    plain = ((1, 1), ((1, 1), (1, 1)), (1, 1))
    native = check(convolutions((18, 17), (3, 3), *plain, 1, 16, 24), rows=21, batch_size=24)
    text = native.plan.source.text
    assert text.count("winograd(") == 2
    assert text.count("winograd_gradient(") == 1
    assert "convolution(" not in text
    assert "kernel_gradient(" not in text


def test_graphs_without_convolutions_stay_as_they_are() -> None:
    graph = Graph()
    graph.outputs = {"y": graph.input("x", (BATCH, 2)) * 2.0}
    assert lower(graph) is graph


@pytest.mark.parametrize(
    ("space", "window", "strides", "padding", "products"),
    [
        ((8, 8), (3, 3), (2, 2), ((0, 1), (0, 1)), 16 * 9),  # for each position of the result, all taps
        ((9, 8), (1, 1), (2, 2), ((0, 0), (0, 0)), 5 * 4),
        ((8,), (4,), (2,), ((1, 1),), 4 * 4),
        ((8,), (3,), (1,), ((1, 1),), 8 * 3),
    ],
)
def test_gradients_of_strided_inputs_multiply_no_holes(
    space: tuple[int, ...], window: tuple[int, ...], strides: tuple[int, ...], padding: Pads, products: int
) -> None:
    lowered = lower(convolutions(space, window, strides, padding, (1,) * len(space), 1, 3, 4))
    gradients = [value for value in lowered.values if value.op == "convolve_input_gradient"]
    taps = [
        math.prod(value.attributes["space"]) * math.prod(map(int, value.operands[1].shape[:-2])) for value in gradients
    ]
    assert sum(taps) == products


def pooling(space: tuple[int, ...], window: tuple[int, ...], strides: tuple[int, ...], padding: Pads, c: int) -> Graph:
    graph = Graph()
    x = graph.input("x", (BATCH, *space, c))
    geometry: dict[str, Any] = {"window": window, "strides": strides, "padding": padding}
    largest, total = graph.emit("window_max", (x,), **geometry), graph.emit("window_sum", (x,), **geometry)
    adjoint, weight = graph.input("adjoint", largest.shape), graph.weight("weight", (c,))
    gradient = graph.emit("window_max_gradient", (x, largest, adjoint), **geometry)
    place = ir.cast(ir.iota(x, len(space)), "float")
    graph.outputs = {
        "largest": largest * 0.5 + 1.0,
        "total": total - weight,
        "gradient": gradient * 2.0 + weight * place,
    }
    return graph


POOLINGS: dict[str, tuple[Any, ...]] = {
    "apart": ((6, 4), (2, 2), (2, 2), ((0, 0), (0, 0)), 3),
    "a rest on both sides": ((7, 8), (2, 3), (2, 3), ((0, 0), (0, 0)), 32),
    "overlapping": ((6, 5), (3, 3), (2, 2), ((1, 1), (0, 1)), 70),
    "gaps": ((9,), (2,), (3,), ((0, 0),), 2),
    "sequences": ((6,), (2,), (2,), ((0, 0),), 1),
    "volumes": ((6, 4, 5), (2, 2, 2), (2, 2, 2), ((0, 0), (0, 0), (0, 0)), 5),
    "padded volumes": ((6, 4, 5), (2, 2, 2), (2, 2, 2), ((0, 0), (0, 0), (0, 1)), 5),
    "large": ((9, 9), (6, 6), (1, 3), ((0, 0), (1, 0)), 5),
    "large, apart": ((6, 13), (6, 6), (6, 6), ((0, 0), (0, 0)), 5),
}


@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("case", POOLINGS.values(), ids=list(POOLINGS))
def test_poolings_agree_with_the_reference(case: tuple[Any, ...], ties: bool) -> None:
    check(pooling(*case), rows=9, batch_size=11, ties=ties)


def test_a_window_with_a_nan_has_no_maximum() -> None:
    graph = pooling(*POOLINGS["apart"])
    x = np.zeros((1, 6, 4, 3), np.float32)
    x[0, 1, 1, 0] = math.nan
    bindings = {"x": x, "adjoint": np.ones((1, 3, 2, 3), np.float32), "weight": np.zeros(3, np.float32)}
    found = NativeGraph(graph, 1).run(bindings, 1)["largest"]
    assert np.isnan(found[0, 0, 0, 0])
    assert np.isnan(found).sum() == 1
