"""The text of a plan is a function of the program alone: else no cache would find the code made for it before."""

from __future__ import annotations

from typing import Any

from tests.programs import program
from trainer_cli.compiler.schedule import make_schedule
from trainer_cli.targets.cpu.plan_source import write_plan


def test_a_program_always_gives_the_same_plan() -> None:
    # Several kernels that keep several values along a row for later: an order that a set once decided.
    normalizing: list[Any] = [{"type": "dense", "units": 6}, "layer_normalization"]
    attention: list[Any] = [{"type": "multi_head_attention", "num_heads": 2, "key_dim": 3, "dropout": 0.1}]
    layers = [*normalizing * 4, *attention, *normalizing, "flatten", {"type": "dense", "units": 3}]
    model = program(layers, "mse", "adam", inputs=(5, 4))
    assert model.train is not None
    texts = {write_plan(make_schedule(model.train, 8), model.input_leaves).text for _ in range(4)}
    assert len(texts) == 1
