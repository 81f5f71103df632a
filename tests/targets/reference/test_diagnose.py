"""The layer that makes the first NaN is named, not one that only inherits it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from trainer_cli.compiler.program import InputSpec, build_program
from trainer_cli.config.load import load_text
from trainer_cli.data.source import Split
from trainer_cli.targets.reference.diagnose import first_nonfinite

TEXT = """
architecture:
  - {type: dense, units: 4, activation: relu, name: first}
  - {type: dense, units: 3, name: second, activation: softmax}
optimizer: {type: sgd, learning_rate: 0.1}
loss: sparse_categorical_crossentropy
"""


@pytest.fixture
def step():
    """Call the diagnosis of one step, with changes."""
    program = build_program(load_text(TEXT, Path("c.yaml"), [], {}).config, InputSpec((2,)))

    def diagnose(weights=(), x=None, **hyperparameters):
        state = program.initial_state(0)
        for name, value in weights:
            state[name] = np.full_like(state[name], value)
        x = np.ones((5, 2), np.float32) if x is None else x
        target = np.array([0, 1, 2, 0, 1], np.int32)
        split = Split({"input": x}, {"target": target}, 5)
        rows = np.arange(5, dtype=np.int32)
        return first_nonfinite(program, state, split, rows, 0, {**program.hyperparameters, **hyperparameters}, 0)

    return diagnose


def test_a_sound_step_has_nothing_to_find(step):
    assert step() is None


def test_the_layer_that_overflows_is_named(step):
    assert step([("first/kernel", 1e20), ("second/kernel", 1e20)]).startswith("layer `second` (contract")
    assert step([("first/kernel", 3e38)]).startswith("layer `first` (contract")


def test_leaves_that_arrive_damaged_are_named(step):
    x = np.ones((5, 2), np.float32)
    x[3, 1] = np.nan
    assert step(x=x) == "the input `input`"
    assert step([("second/bias", np.inf)]) == "the weight `second/bias`"


def test_an_update_that_overflows_is_found_though_the_loss_is_finite(step):
    assert step(learning_rate=1e39) == "the hyper-parameter `learning_rate`"
    found = step([("first/kernel", 1e18), ("second/kernel", 1e18)], learning_rate=1e30)
    assert found == "layer `first` (multiply)"
