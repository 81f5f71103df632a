"""Networks of repeated blocks in, the kernels that they compile out: as many for six blocks as for two."""

from __future__ import annotations

from typing import Any

import pytest

from tests.programs import program
from trainer_cli.compiler.program import InputSpec, Program
from trainer_cli.compiler.schedule import make_schedule
from trainer_cli.targets.cpu.plan_source import write_plan


def transformer(blocks: int) -> Program:
    layers: list[Any] = [{"type": "dense", "units": 16, "name": "end_0"}]
    for n in range(blocks):
        layers += [
            {"type": "layer_normalization", "inputs": [f"end_{n}"]},
            {"type": "multi_head_attention", "num_heads": 2, "key_dim": 8, "causal": True, "name": f"attention_{n}"},
            {"type": "add", "name": f"middle_{n}", "inputs": [f"end_{n}", f"attention_{n}"]},
            {"type": "layer_normalization"},
            {"type": "dense", "units": 32, "activation": "gelu"},
            {"type": "dense", "units": 16, "name": f"mlp_{n}"},
            {"type": "add", "name": f"end_{n + 1}", "inputs": [f"middle_{n}", f"mlp_{n}"]},
        ]
    layers += ["global_average_pooling1d", {"type": "dense", "units": 3}]
    return program(layers, "mse", "adam", inputs=InputSpec((12, 5)))


def residual(blocks: int) -> Program:
    convolution = {"type": "conv2d", "filters": 8, "kernel_size": 3, "padding": "same", "use_bias": False}
    layers: list[Any] = [{**convolution, "name": "end_0"}]
    for n in range(blocks):
        layers += [
            {**convolution, "inputs": [f"end_{n}"]},
            "batch_normalization",
            {"type": "activation", "activation": "relu"},
            {**convolution, "name": f"branch_{n}"},
            {"type": "add", "name": f"end_{n + 1}", "inputs": [f"end_{n}", f"branch_{n}"]},
        ]
    layers += ["global_average_pooling2d", {"type": "dense", "units": 3}]
    return program(layers, "mse", "adam", inputs=InputSpec((8, 8, 3)))


@pytest.mark.parametrize("network", [transformer, residual])
def test_more_blocks_need_no_more_kernels(network: Any) -> None:
    counts = []
    for blocks in (2, 3, 6):
        made: Program = network(blocks)
        graph = made.train
        assert graph is not None
        schedule = make_schedule(graph, 16)
        counts.append((len(write_plan(schedule, made.input_leaves).units), len(schedule.partition.kernels)))
    distinct, calls = zip(*counts, strict=True)
    assert calls[2] > 2 * calls[0] - calls[0] // 2
    assert distinct[0] == distinct[1] == distinct[2], counts


def test_evaluation_shares_kernels_with_prediction() -> None:
    made = transformer(2)
    assert made.evaluate is not None
    evaluate, predict = (
        write_plan(make_schedule(graph, 16), made.input_leaves) for graph in (made.evaluate, made.predict)
    )
    shared = set(evaluate.units) & set(predict.units)
    assert len(shared) >= len(predict.units) - 1
