"""Learning rates of layers: what a multiplier does to the update, against NumPy, and which weights it reaches."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.programs import program, rows_for, train
from trainer_cli.compiler.program import Program
from trainer_cli.errors import ConfigError

RATE, DECAY, MOMENTUM = 0.1, 0.3, 0.8
SGD = {"type": "sgd", "learning_rate": RATE, "weight_decay": DECAY, "momentum": MOMENTUM}


def net(first: float, second: float, optimizer: Any = SGD) -> Program:
    layers = [
        {"type": "dense", "units": 4, "name": "low", "learning_rate_multiplier": first},
        {"type": "dense", "units": 2, "name": "high", "learning_rate_multiplier": second},
    ]
    return program(layers, optimizer=optimizer)


@pytest.mark.parametrize("target", ["cpu", "reference"])
def test_steps_and_decay_are_scaled_as_numpy_scales_them(target: str) -> None:
    made = net(0.25, 3.0)
    split = rows_for(made, 16)
    found, _ = train(made, split, steps=2, batch_size=16, target=target, precision="float64")
    x, y = split.inputs["input"].astype(np.float64), split.targets["target"].astype(np.float64)
    weights = {name: made.initial_state(5)[name].astype(np.float64) for name in made.weights}
    velocity = {name: np.zeros_like(value) for name, value in weights.items()}
    for _ in range(2):
        hidden = x @ weights["low/kernel"] + weights["low/bias"]
        error = (hidden @ weights["high/kernel"] + weights["high/bias"] - y) * 2 / y.size
        below = error @ weights["high/kernel"].T
        gradients = {
            "low/kernel": x.T @ below,
            "low/bias": below.sum(0),
            "high/kernel": hidden.T @ error,
            "high/bias": error.sum(0),
        }
        for name, gradient in gradients.items():
            rate = RATE * (0.25 if name.startswith("low") else 3.0)
            velocity[name] = velocity[name] * MOMENTUM - rate * gradient
            weights[name] += velocity[name] - weights[name] * rate * DECAY
    for name, value in weights.items():
        np.testing.assert_allclose(found[name], value, rtol=1e-5, atol=1e-6, err_msg=name)


@pytest.mark.parametrize("optimizer", ["adam", {"type": "lion", "weight_decay": 0.1}, "adafactor", "lamb", "rmsprop"])
def test_a_multiplier_of_all_layers_is_another_learning_rate(optimizer: Any) -> None:
    given = {"type": optimizer} if isinstance(optimizer, str) else optimizer
    both = [net(0.5, 0.5, {**given, "learning_rate": 0.02}), net(1.0, 1.0, {**given, "learning_rate": 0.01})]
    split = rows_for(both[0], 16)
    found = [train(each, split, steps=6, target="reference")[0] for each in both]
    for name, value in found[1].items():
        np.testing.assert_allclose(found[0][name], value, rtol=1e-6, atol=1e-7, err_msg=name)


@pytest.mark.parametrize("target", ["cpu", "reference"])
def test_at_0_weights_stay_while_the_optimizer_s_state_follows(target: str) -> None:
    made = net(0.0, 1.0, "adam")
    start = made.initial_state(5)
    found, _ = train(made, rows_for(made, 16), steps=3, target=target)
    for name in ("low/kernel", "low/bias"):
        np.testing.assert_array_equal(found[name], start[name])
        assert np.abs(found[f"{name}/second_moment"]).max() > 0
    assert np.abs(found["high/kernel"] - start["high/kernel"]).max() > 0


def test_another_multiplier_is_another_number_of_the_same_plan() -> None:
    plans = [net(0.5, 2.0), net(0.125, 7.0), net(1.0, 2.0)]
    texts = [[(value.op, value.shape, value.attributes) for value in each.train.values] for each in plans if each.train]
    assert texts[0] == texts[1] != texts[2]
    split = rows_for(plans[0], 16)
    expected, _ = train(plans[1], split, steps=3)
    found, _ = train(plans[0], split, steps=3, hyperparameters=plans[1].hyperparameters)
    assert all(found[name].tobytes() == value.tobytes() for name, value in expected.items())


def multipliers(layers: list[Any], **keys: Any) -> dict[str, float]:
    made = program(layers, **keys)
    return {name: spec.learning_rate_multiplier for name, spec in made.weights.items() if spec.trainable}


def test_layers_inside_layers_and_blocks_multiply_theirs() -> None:
    inner = {"type": "lstm", "units": 2, "learning_rate_multiplier": 0.5}
    backward = {"type": "lstm", "units": 2, "go_backwards": True}
    both = {"type": "bidirectional", "name": "both", "layer": inner, "backward_layer": backward}
    found = multipliers([{**both, "learning_rate_multiplier": 4.0}], inputs=(3, 2))
    assert {name: rate for name, rate in found.items() if "kernel" in name} == {
        "both/forward/kernel": 2.0,
        "both/forward/recurrent_kernel": 2.0,
        "both/backward/kernel": 4.0,
        "both/backward/recurrent_kernel": 4.0,
    }
    dense = {"type": "dense", "units": 3, "name": "d"}
    block = {"type": "block", "name": "b", "repeat": 2, "learning_rate_multiplier": 0.5}
    inside = {"type": "block", "name": "c", "learning_rate_multiplier": 0.5, "layers": [dense]}
    scaled = {**dense, "name": "e", "learning_rate_multiplier": 3.0}
    found = multipliers([{**block, "layers": [inside, scaled]}, {**dense, "name": "after"}])
    assert {name: rate for name, rate in found.items() if "kernel" in name} == {
        "b.1.c.d/kernel": 0.25,
        "b.1.e/kernel": 1.5,
        "b.2.c.d/kernel": 0.25,
        "b.2.e/kernel": 1.5,
        "after/kernel": 1.0,
    }
    normalized = {"type": "spectral_normalization", "name": "n", "layer": {**scaled, "name": None}}
    assert multipliers([normalized]) == {"n/kernel": 3.0, "n/bias": 3.0}


def test_a_shared_layer_has_the_rate_of_the_one_it_shares() -> None:
    layers = [
        {"type": "dense", "units": 3, "name": "one", "learning_rate_multiplier": 0.5},
        {"type": "shared", "of": "one", "name": "two"},
    ]
    assert multipliers(layers) == {"one/kernel": 0.5, "one/bias": 0.5}
    with pytest.raises(ConfigError) as caught:
        multipliers([layers[0], {**layers[1], "learning_rate_multiplier": 2.0}])
    (problem,) = caught.value.problems
    assert problem.path == ("architecture", 1, "learning_rate_multiplier")


def test_a_layer_without_weights_has_no_rate() -> None:
    with pytest.raises(ConfigError, match="has no weights, and so no learning rate") as caught:
        program([{"type": "dense", "units": 2}, {"type": "dropout", "rate": 0.1, "learning_rate_multiplier": 0.5}])
    assert caught.value.problems[0].path == ("architecture", 1, "learning_rate_multiplier")
