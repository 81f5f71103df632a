"""Every optimizer and every option on the CPU target: programs in, the reference's weights and the same bits out."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.programs import program, rows_for, same_bits, train
from trainer_cli.compiler.program import Program
from trainer_cli.compiler.schedule import make_schedule
from trainer_cli.targets.cpu.plan_source import write_plan

STEPS, ROWS, BATCH_SIZE = 13, 41, 8
COSINE = {"type": "cosine_decay", "initial_learning_rate": 0.0, "decay_steps": 9, "warmup_target": 0.05}
SCHEDULE = {**COSINE, "warmup_steps": 3, "alpha": 0.1}

PLAIN: dict[str, dict[str, Any]] = {
    "adadelta": {"type": "adadelta", "learning_rate": 10.0},
    "adamax": {"type": "adamax", "learning_rate": 0.01},
    "adamw": {"type": "adamw", "learning_rate": 0.01, "weight_decay": 0.1, "exclude_from_weight_decay": ["bias"]},
    "nadam": {"type": "nadam", "learning_rate": 0.01},
    "lion": {"type": "lion", "learning_rate": 0.003},
    "ftrl": {"type": "ftrl", "learning_rate": 0.1, "l1_regularization_strength": 0.01, "beta": 0.1},
    "lamb": {"type": "lamb", "learning_rate": 0.01},
    "adafactor": {"type": "adafactor", "learning_rate": 0.05},
    "muon": {"type": "muon", "learning_rate": 0.01},
    "schedule free": {"type": "schedule_free_adamw", "learning_rate": 0.02, "warmup_steps": 3, "weight_decay": 0.1},
    "schedule": {"type": "sgd", "learning_rate": SCHEDULE, "momentum": 0.9},
    "clipnorm": {"type": "sgd", "learning_rate": 0.1, "clipnorm": 0.3},
    "clipvalue": {"type": "sgd", "learning_rate": 0.1, "clipvalue": 0.05},
    "global clipnorm": {"type": "sgd", "learning_rate": 0.1, "global_clipnorm": 0.3},
    "average": {"type": "adam", "learning_rate": 0.01, "use_ema": True, "ema_momentum": 0.8},
    "accumulation": {"type": "adam", "learning_rate": 0.01, "gradient_accumulation_steps": 3},
    "all at once": {
        "type": "nadam",
        "learning_rate": SCHEDULE,
        "weight_decay": 0.1,
        "global_clipnorm": 0.3,
        "use_ema": True,
        "ema_momentum": 0.8,
        "ema_overwrite_frequency": 2,
        "gradient_accumulation_steps": 3,
    },
}
# Three blocks of rows for the threads to share; one layer, for compiling is what takes the time here.
LAYERS: list[Any] = [{"type": "dense", "units": 70, "kernel_constraint": {"type": "max_norm", "max_value": 0.8}}]
IMAGES: list[Any] = [{"type": "conv2d", "filters": 5, "kernel_size": 3}, "global_max_pooling2d"]


def compiled(optimizer: dict[str, Any], images: bool) -> Program:
    return program(IMAGES if images else LAYERS, "mse", optimizer, inputs=(5, 6, 2) if images else (20,))


def check(model: Program) -> None:
    split = rows_for(model, ROWS)
    state, slices = train(model, split, steps=STEPS, batch_size=BATCH_SIZE)
    exact, expected = train(model, split, steps=STEPS, batch_size=BATCH_SIZE, target="reference")
    for ours, theirs in zip(slices, expected, strict=True):
        np.testing.assert_allclose(ours.totals["loss"], theirs.totals["loss"], rtol=1e-4)
    assert set(state) == {*model.weights, *model.slots}
    for name, values in exact.items():
        scale = max(float(np.abs(values).max()), 1e-3)
        np.testing.assert_allclose(state[name], values, rtol=1e-3, atol=1e-3 * scale, err_msg=name)
    for threads in (2, 3):
        again, others = train(model, split, steps=STEPS, batch_size=BATCH_SIZE, threads=threads, slices=2)
        assert same_bits(state, again), f"{threads} threads: other bits"
        assert [other.totals["loss"].tobytes() for other in others] == [s.totals["loss"].tobytes() for s in slices]


@pytest.mark.parametrize("name", PLAIN)
def test_training_is_near_the_reference_and_has_the_same_bits_on_any_threads(name: str) -> None:
    check(compiled(PLAIN[name], images=False))


@pytest.mark.parametrize("name", ["adafactor", "muon", "lamb", "all at once"])
def test_kernels_of_convolutions_are_updated_as_the_reference_does(name: str) -> None:
    check(compiled(PLAIN[name], images=True))


@pytest.mark.parametrize("name", PLAIN)
def test_another_number_needs_no_other_plan(name: str) -> None:
    def source(optimizer: dict[str, Any]) -> str:
        model = compiled(optimizer, images=False)
        assert model.train is not None
        return write_plan(make_schedule(model.train, BATCH_SIZE), model.input_leaves).text

    def changed(given: Any) -> Any:
        if isinstance(given, dict):
            return {key: changed(value) for key, value in given.items()}
        return given / 2 if isinstance(given, float) else given

    assert source(changed(PLAIN[name])) == source(PLAIN[name])


@pytest.mark.parametrize(
    ("optimizer", "count"), [("adam", 2), ("rmsprop", 2), ("adagrad", 2), ("nadam", 2), ("adamax", 0), ("sgd", 0)]
)
def test_weights_are_divided_by_square_roots_without_a_division(optimizer: str, count: int) -> None:
    """Those of the kernel and of the bias; a row of a normalization, which has a number for each row, divides."""
    layers = [{"type": "layer_normalization", "scale": False, "center": False}, {"type": "dense", "units": 20}]
    compiled = program(layers, optimizer={"type": optimizer, "learning_rate": 0.01})
    assert compiled.train is not None
    text = write_plan(make_schedule(compiled.train, BATCH_SIZE), {}).text
    body = text[text.index("def ") :]
    assert body.count(" * reciprocal(") == count
