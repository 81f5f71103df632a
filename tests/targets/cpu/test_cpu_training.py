"""Optimizers and losses on the CPU target: programs in, losses near the reference's and the same bits always, out."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.programs import program, rows_for, same_bits, train

STEPS, ROWS, BATCH_SIZE = 50, 41, 8

OPTIMIZERS: dict[str, dict[str, Any]] = {
    "sgd": {"type": "sgd", "learning_rate": 0.05},
    "momentum": {"type": "sgd", "learning_rate": 0.02, "momentum": 0.9},
    "nesterov": {"type": "sgd", "learning_rate": 0.02, "momentum": 0.9, "nesterov": True},
    "rmsprop": {"type": "rmsprop", "learning_rate": 0.005},
    "rmsprop momentum": {"type": "rmsprop", "learning_rate": 0.002, "momentum": 0.5},
    "rmsprop centered": {"type": "rmsprop", "learning_rate": 0.002, "centered": True},
    "adam": {"type": "adam", "learning_rate": 0.01},
    "amsgrad": {"type": "adam", "learning_rate": 0.01, "amsgrad": True},
    "adagrad": {"type": "adagrad", "learning_rate": 0.05},
}
LOSSES: dict[str, tuple[Any, dict[str, Any]]] = {
    "mean_squared_error": ("mean_squared_error", {"units": 2}),
    "mean_absolute_error": ("mean_absolute_error", {"units": 1}),
    "binary_crossentropy": ("binary_crossentropy", {"units": 1, "activation": "sigmoid"}),
    "categorical_crossentropy": (
        {"type": "categorical_crossentropy", "label_smoothing": 0.1},
        {"units": 3, "activation": "softmax"},
    ),
    "sparse_categorical_crossentropy": ("sparse_categorical_crossentropy", {"units": 4, "activation": "softmax"}),
}


def compiled(optimizer: str, loss: str, **changed: Any) -> Any:
    chosen, output = LOSSES[loss]
    layers = [{"type": "dense", "units": 9, "activation": "tanh"}, {"type": "dense", **output}]
    # A second layer costs a second of compilation: every optimizer and every loss meets one, not every pair.
    deep = optimizer == "adam" or loss == "mean_squared_error"
    return program(layers if deep else layers[1:], chosen, OPTIMIZERS[optimizer] | changed, inputs=(5,))


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_training_is_near_the_reference_and_has_the_same_bits_on_any_threads(optimizer: str, loss: str) -> None:
    model = compiled(optimizer, loss)
    split = rows_for(model, ROWS)
    state, slices = train(model, split, steps=STEPS, batch_size=BATCH_SIZE)
    _, exact = train(model, split, steps=STEPS, batch_size=BATCH_SIZE, target="reference")
    for ours, theirs in zip(slices, exact, strict=True):
        assert (ours.steps, ours.rows) == (theirs.steps, theirs.rows)
        np.testing.assert_allclose(ours.totals["loss"], theirs.totals["loss"], rtol=1e-5)
    before, after = slices[0].totals["loss"] / slices[0].rows, slices[-2].totals["loss"] / slices[-2].rows
    assert after < before
    for threads in (2, 4):
        again, others = train(model, split, steps=STEPS, batch_size=BATCH_SIZE, threads=threads, slices=2)
        assert same_bits(state, again)
        assert [other.totals["loss"].tobytes() for other in others] == [s.totals["loss"].tobytes() for s in slices]
