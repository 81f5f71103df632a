"""Both targets beside each other for tests: layers in; the state that both learn, on any number of threads, out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tests.programs import program, rows_for, same_bits, train
from trainer_cli.compiler.program import InputSpec, Program
from trainer_cli.data.source import Split
from trainer_cli.targets.target import State

# With a small epsilon, the first step of a weight whose gradient is nearly 0 depends on that gradient's rounding.
ADAM = {"type": "adam", "learning_rate": 0.01, "epsilon": 0.01}


def assert_trains_alike(
    layers: Sequence[Any],
    loss: Any = "mse",
    *,
    inputs: InputSpec | tuple[int, ...],
    rows: int = 21,
    steps: int = 6,
    split: Split | None = None,
    tolerance: float = 1e-4,
    undetermined: tuple[str, ...] = (),
    **keys: Any,
) -> tuple[Program, State]:
    """Train a small network with Adam on the reference and natively on 1, 2 and 3 threads; the native state.

    `undetermined` are endings of the names of weights whose gradient is 0 but for rounding: Adam makes steps of that.
    """
    model = program(layers, loss, ADAM, inputs=inputs, **keys)
    split = split or rows_for(model, rows)
    state, slices = train(model, split, steps=steps)
    exact, expected = train(model, split, steps=steps, target="reference")
    for ours, theirs in zip(slices, expected, strict=True):
        np.testing.assert_allclose(ours.totals["loss"], theirs.totals["loss"], rtol=tolerance)
    rounded: State = {}
    for name, values in exact.items():
        if name.endswith(undetermined):
            continue
        scale = max(float(np.abs(values).max()), 1e-2)
        allowed = tolerance * scale
        if np.abs(state[name] - values).max() > allowed:
            # A first step of Adam with a gradient near 0 makes rounding large: in NumPy's float32 as well.
            rounded = rounded or train(model, split, steps=steps, target="reference", precision="float32")[0]
            allowed += 3 * float(np.abs(rounded[name] - values).max())
        np.testing.assert_allclose(state[name], values, rtol=tolerance, atol=allowed, err_msg=name)
    for threads in (2, 3):
        assert same_bits(state, train(model, split, steps=steps, threads=threads)[0]), f"{threads} threads: other bits"
    return model, state
