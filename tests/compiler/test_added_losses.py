"""Losses that layers add: architectures with penalties on outputs in, the loss that is minimised and shown out."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.programs import program, rows_for
from trainer_cli.errors import ConfigError
from trainer_cli.targets import open_target

PENALTY = {"type": "l1_l2", "l1": 0.25, "l2": 0.5}
DENSE: dict[str, Any] = {"type": "dense", "units": 2, "name": "dense"}


ROWS = 7


def losses(architecture: list[Any], target: str = "reference", inputs: tuple[int, ...] = (3,)) -> tuple[Any, Any]:
    """The losses of an epoch of training at learning rate 0 and of evaluation, and the predictions."""
    compiled = program(architecture, inputs=inputs)
    executable = open_target(target, **({"threads": 2} if target == "cpu" else {})).compile(compiled, batch_size=4)
    executable.load(compiled.initial_state(0))
    split, order = rows_for(compiled, ROWS), np.arange(ROWS, dtype=np.int32)
    still = {**compiled.hyperparameters, "learning_rate": 0.0}
    totals = executable.train(split, order, 0, still, 0).totals, executable.evaluate(split, order).totals
    found = np.array([compiled.results(each, ROWS)["loss"] for each in totals])
    return found, executable.predict(split, 0, ROWS)["prediction"]


@pytest.mark.parametrize("target", ["reference", "cpu"])
@pytest.mark.parametrize(
    "architecture",
    [
        [{**DENSE, "activity_regularizer": PENALTY}],
        [
            {**DENSE, "activity_regularizer": PENALTY, "trainable": False},
            {"type": "prelu", "alpha_initializer": "ones"},
        ],
        [{"type": "block", "name": "block", "layers": [{**DENSE, "activity_regularizer": PENALTY}]}],
        [DENSE, {"type": "activity_regularization", "l1": 0.25, "l2": 0.5}],
    ],
)
def test_the_loss_has_the_penalty_per_row_in_training_and_evaluation(architecture: list[Any], target: str) -> None:
    """Batches are weighted by their rows, so that the short last one counts for less, here 3 rows of 7."""
    names = {"type": "block", "name": "block", "layers": [DENSE]} if architecture[0]["type"] == "block" else DENSE
    plain, prediction = losses([names], target)
    found, same = losses(architecture, target)
    np.testing.assert_allclose(same, prediction, rtol=1e-6)
    expected = plain + (0.25 * np.abs(prediction) + 0.5 * prediction**2).sum() / ROWS
    np.testing.assert_allclose(found, expected, rtol=1e-5)


LSTM: dict[str, Any] = {"type": "lstm", "units": 2, "return_sequences": True}


@pytest.mark.parametrize(
    ("wrapper", "inner"),
    [("bidirectional", LSTM), ("time_distributed", {"type": "dense", "units": 2}), ("time_distributed", LSTM)],
)
def test_a_layer_inside_another_adds_its_penalties(wrapper: str, inner: dict[str, Any]) -> None:
    """Both directions, or all steps, together make the output."""
    shape = (3, 2, 2) if inner is LSTM and wrapper == "time_distributed" else (3, 2)
    plain, prediction = losses([{"type": wrapper, "layer": inner}], inputs=shape)
    found, _ = losses([{"type": wrapper, "layer": {**inner, "activity_regularizer": "l1"}}], inputs=shape)
    np.testing.assert_allclose(found, plain + 0.01 * np.abs(prediction).sum() / ROWS, rtol=1e-6)


def test_a_shared_layer_adds_its_penalty_for_every_use() -> None:
    once = {"type": "activation", "activation": "relu", "name": "once", "activity_regularizer": "l1"}
    plain, _ = losses([DENSE, {**once, "activity_regularizer": None}])
    single, prediction = losses([DENSE, once])
    twice, _ = losses([DENSE, once, {"type": "shared", "of": "once"}])
    np.testing.assert_allclose(single - plain, 0.01 * np.abs(prediction).sum() / ROWS, rtol=1e-6)
    np.testing.assert_allclose(twice - plain, 2 * (single - plain), rtol=1e-6)


@pytest.mark.parametrize(
    ("layer", "message"),
    [
        ({**DENSE, "activity_regularizer": "orthogonal"}, "any number of rows"),
        ({"type": "discretization", "bin_boundaries": [0.0], "activity_regularizer": "l2"}, "whole numbers"),
    ],
)
def test_what_no_penalty_can_be_computed_of_is_refused_at_the_field(layer: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message) as caught:
        program([layer])
    assert caught.value.problems[0].path == ("architecture", 0, "activity_regularizer")


@pytest.mark.parametrize(
    "layer",
    [
        {"type": "block", "layers": [DENSE], "activity_regularizer": "l2"},
        {"type": "shared", "of": "dense", "activity_regularizer": "l2"},
    ],
)
def test_what_has_no_output_of_its_own_refuses_a_penalty(layer: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"give it to the layers inside|the one of the layer"):
        program([DENSE, layer])
