"""The divide pass: a training step in, the same numbers from sums in parts out, for small batches and large weights."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.programs import program
from trainer_cli.compiler.divide import LEAST_TERMS, divide
from trainer_cli.compiler.program import InputSpec, Program
from trainer_cli.compiler.schedule import make_schedule
from trainer_cli.compiler.simplify import simplify
from trainer_cli.data.source import Split
from trainer_cli.ir.graph import Graph
from trainer_cli.ir.ops.products import labels
from trainer_cli.ir.primitive import BATCH
from trainer_cli.targets import open_target

WIDE: list[Any] = [{"type": "dense", "units": 12, "activation": "relu"}, {"type": "dense", "units": 3}]
DEEP: list[Any] = [{"type": "dense", "units": 512, "activation": "relu"}, {"type": "dense", "units": 512}, *WIDE]


def training(architecture: list[Any], inputs: int, **keys: Any) -> Graph:
    graph = program(architecture, inputs=(inputs,), **keys).train
    assert graph is not None
    return simplify(graph)


def parts(graph: Graph) -> list[int]:
    """The parts of the divided products."""
    return [int(value.shape[1]) for value in graph.values if "shared" in value.attributes]


@pytest.mark.parametrize(
    ("inputs", "batch", "expected"),
    [
        (784, 32, [4]),  # 8 would leave the partial sums more than a quarter of the weight
        (784, 1, [8]),  # 16 would leave parts of 49 terms
        (784, 128, [2]),  # halves may leave half of the weight
        (784, 256, []),
        (4096, 1, [16]),
        (LEAST_TERMS, 1, []),
        (2 * LEAST_TERMS, 1, [2]),
        (2 * LEAST_TERMS + 1, 1, []),  # odd
        (781, 8, []),
    ],
)
def test_parts_follow_from_the_shapes(inputs: int, batch: int, expected: list[int]) -> None:
    assert parts(divide(training(WIDE, inputs), batch)) == expected


def test_inner_layers_and_other_steps_stay_whole() -> None:
    deep = [{"type": "dense", "units": 256}, *WIDE]
    # The gradient of the inner layer reads its weight too.
    assert parts(divide(training(deep, 256), 8)) == [4]
    made = program(WIDE, inputs=(784,))
    for graph in (made.evaluate, made.predict):
        assert graph is not None
        assert divide(graph, 8) is graph
    frozen = [{"type": "dense", "units": 12, "trainable": False}, *WIDE[1:]]
    assert parts(divide(training(frozen, 784), 8)) == []


def test_large_inner_layers_are_divided_forward_and_backward() -> None:
    divided = divide(training(DEEP, 16), 8)
    # Of the layers, one has 512 × 512 weights.
    assert parts(divided) == [8, 8]
    specifications = [value.attributes["specification"] for value in divided.values if "shared" in value.attributes]
    assert specifications == ["bpk,pkn->bpn", "bn,pkn->bpk"]
    assert parts(divide(training(DEEP, 16), 256)) == []
    smaller = [{"type": "dense", "units": 256}, {"type": "dense", "units": 512}, *WIDE]
    assert parts(divide(training(smaller, 16), 8)) == []


def test_threads_gather_their_parts_and_need_no_barrier_before_them() -> None:
    schedule = make_schedule(training(WIDE, 784), 8)
    (first, *_) = schedule.partition.regions
    (kernel,) = (kernel for kernel in first.kernels if schedule.partition.splits[kernel].kind == "parts")
    split = schedule.partition.splits[kernel]
    assert (split.extent, split.block) == (8, 1)
    assert list(schedule.partition.gathers.values()) == [split]
    assert kernel.root is not None
    assert labels(kernel.root.attributes["specification"])[2] == "bpn"
    assert kernel.domain == (BATCH, 8, 12)


@pytest.mark.parametrize("dtype", ["float32", "uint8"])
@pytest.mark.parametrize("layers", [WIDE, ["flatten", *WIDE]])
def test_the_numbers_are_those_of_whole_sums_at_any_number_of_threads(layers: list[Any], dtype: str) -> None:
    shape = (784,) if layers is WIDE else (28, 28)
    keys: dict[str, Any] = {"optimizer": {"type": "sgd", "momentum": 0.9, "learning_rate": 0.05}, "loss": "mse"}
    made = program(layers, inputs=InputSpec(shape, dtype=dtype, scale=1 / 255 if dtype == "uint8" else 1.0), **keys)
    assert made.train is not None
    assert parts(divide(simplify(made.train), 20)) == [8]
    check_numbers(made, shape, dtype)


def test_the_numbers_of_inner_layers_are_those_of_whole_sums() -> None:
    keys: dict[str, Any] = {"optimizer": {"type": "sgd", "learning_rate": 0.05}, "loss": "mse"}
    made = program(DEEP, inputs=InputSpec((16,)), **keys)
    assert made.train is not None
    assert parts(divide(simplify(made.train), 20)) == [4, 4]
    check_numbers(made, (16,), "float32")


def check_numbers(made: Program, shape: tuple[int, ...], dtype: str) -> None:
    """Two whole batches and a short one: close to the reference, and the same bits at any number of threads."""
    generator, rows = np.random.default_rng(0), 53
    x: Any = generator.integers(0, 256, (rows, *shape), dtype=np.uint8)
    x = x if dtype == "uint8" else (x / 255).astype(np.float32)
    split = Split({"input": x}, {"target": generator.normal(size=(rows, 3)).astype(np.float32)}, rows)
    order = generator.permutation(rows).astype(np.int32)
    state, found = made.initial_state(0), []
    for target, threads in (("reference", 1), ("cpu", 1), ("cpu", 2), ("cpu", 3), ("cpu", 8), ("cpu", 11)):
        made_ready = open_target(target, threads=threads).compile(made, batch_size=20)
        made_ready.load(state)
        made_ready.train(split, order, 0, made.hyperparameters, 0)
        found.append(made_ready.state())
    expected, first, *others = found
    for name, array in expected.items():
        assert not np.array_equal(array, state[name])
        np.testing.assert_allclose(first[name], array, rtol=2e-5, atol=2e-6)
        for other in others:
            assert other[name].tobytes() == first[name].tobytes()
