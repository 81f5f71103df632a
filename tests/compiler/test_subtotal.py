"""The subtotal pass: a training step in, the same numbers from sums in two steps out, where that spares memory."""

from __future__ import annotations

from typing import Any

import pytest

from tests.programs import check_numbers, program, rows_for
from trainer_cli.compiler.memory import Schedule
from trainer_cli.compiler.partition import ROW_BLOCK
from trainer_cli.compiler.program import Program
from trainer_cli.compiler.schedule import make_schedule
from trainer_cli.compiler.simplify import simplify
from trainer_cli.compiler.subtotal import subtotal
from trainer_cli.ir.graph import Graph

BATCH, CACHE = 64, 1 << 20
IMAGES: list[Any] = [
    {"type": "conv2d", "filters": 16, "kernel_size": 3, "activation": "relu"},
    {"type": "depthwise_conv2d", "kernel_size": 3, "use_bias": False},
    "batch_normalization",
    {"type": "conv2d", "filters": 16, "kernel_size": 3, "groups": 2},
    "global_average_pooling2d",
    {"type": "dense", "units": 3},
]
SEQUENCES: list[Any] = [
    {"type": "dense", "units": 32},
    {"type": "position_embedding", "sequence_length": 40},
    {"type": "multi_head_attention", "num_heads": 2, "key_dim": 16},
    "layer_normalization",
    {"type": "lstm", "units": 24, "return_sequences": True},
    {"type": "dense", "units": 3},
]
MODELS: dict[str, tuple[list[Any], tuple[int, ...]]] = {
    "images": (IMAGES, (22, 22, 2)),
    "sequences": (SEQUENCES, (40, 20)),
}


def training(name: str, **keys: Any) -> Program:
    layers, shape = MODELS[name]
    return program(layers, inputs=shape, **keys)


def step(made: Program) -> Graph:
    assert made.train is not None
    return made.train


def scheduled(name: str, batch: int, cache: int = CACHE) -> Schedule:
    return make_schedule(step(training(name)), batch, cache)


def sums(graph: Graph) -> list[str]:
    return [value.attributes["sum"] for value in graph.values if value.op == "subtotals"]


def test_gradients_of_small_weights_beside_large_activations_are_summed_by_rows() -> None:
    assert set(sums(scheduled("images", BATCH).graph)) == {"convolve_kernel_gradient"}
    assert set(sums(scheduled("sequences", BATCH).graph)) == {"contract", "reduce_sum"}


def test_what_is_small_or_all_weight_is_left_as_it_is() -> None:
    assert sums(scheduled("sequences", ROW_BLOCK).graph) == []  # one subtotal alone
    wide = simplify(step(program([{"type": "dense", "units": 512}, {"type": "dense", "units": 3}], inputs=(512,))))
    shapes = [value.shape[1:] for value in subtotal(wide, 256).values if value.op == "subtotals"]
    assert (512, 3) in shapes
    assert (512, 512) not in shapes
    tiny = simplify(step(program([{"type": "dense", "units": 8}, {"type": "dense", "units": 3}], inputs=(8,))))
    assert subtotal(tiny, 64) is tiny


def test_activations_stay_with_the_thread_that_computed_them() -> None:
    schedule = scheduled("sequences", BATCH)
    subtotals = [value for value in schedule.graph.values if value.op == "subtotals"]
    for value in subtotals:
        (kernel,) = (kernel for kernel in schedule.partition.kernels if kernel.root is value)
        assert schedule.partition.splits[kernel].kind == "rows"
        assert value.shape[0] == BATCH // value.attributes["rows"]


def subtotal_rows(schedule: Schedule) -> list[tuple[int, set[int]]]:
    """The rows of every group of kernels that has subtotals, and theirs."""
    found = []
    for group in (group for region in schedule.groups for group in region):
        roots = [kernel.root for kernel in group.kernels if kernel.root is not None]
        rows = {root.attributes["rows"] for root in roots if root.op == "subtotals"}
        found += [(group.rows, rows)] if rows else []
    return found


def test_long_rows_are_summed_up_a_few_at_a_time() -> None:
    """The kernels beside them then take as few at a time, unless one of them wants more; always whole subtotals."""
    few = ROW_BLOCK // 2
    attention = step(program(SEQUENCES[:4], inputs=MODELS["sequences"][1]))
    assert subtotal_rows(make_schedule(attention, BATCH, 1 << 16)) == [(few, {few})]
    for name in MODELS:
        for rows, sums in subtotal_rows(scheduled(name, BATCH, 1 << 16)):
            assert all(rows % number == 0 for number in sums)


@pytest.mark.parametrize("optimizer", ["adam", {"type": "sgd", "momentum": 0.9, "global_clipnorm": 0.5}])
@pytest.mark.parametrize("name", MODELS)
def test_numbers_agree_with_the_reference_at_any_number_of_threads(name: str, optimizer: Any) -> None:
    made = training(name, optimizer=optimizer)
    assert sums(make_schedule(step(made), BATCH, CACHE).graph)
    split = rows_for(made, 2 * BATCH + 13)  # a short batch, with subtotals that no row belongs to
    check_numbers(made, split, BATCH, rtol=3e-3, atol=2e-5)
