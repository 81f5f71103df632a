"""Optimizers: ten steps as in Keras, closed forms, structure, and that numbers are run-time inputs."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.steppers import Stepper
from trainer_cli.parts.families import OPTIMIZERS, read_part
from trainer_cli.parts.optimizer import Optimizer

NAMES = OPTIMIZERS.names()


def optimizer(**arguments: Any) -> Optimizer:
    part = read_part(OPTIMIZERS, arguments)
    assert isinstance(part, Optimizer)
    return part


def test_keras_takes_the_same_steps(keras: dict[str, Any]) -> None:
    assert {case["part"]["type"] for case in keras["optimizers"]} <= set(NAMES)
    for case in keras["optimizers"]:
        assert case["precision"] == "float64"
        stepper = Stepper(optimizer(**case["part"]), case["start"])
        for gradient, rate, weight in zip(case["gradients"], case["rates"], case["path"], strict=True):
            found = stepper.step(gradient, learning_rate=rate)
            np.testing.assert_allclose(found, weight, rtol=1e-9, atol=1e-12, err_msg=str(case["part"]))


# Every optimizer with its defaults, a new one too, and the other forms of those that have several.
VARIANTS: list[dict[str, Any]] = [
    *({"type": name} for name in NAMES),
    {"type": "sgd", "momentum": 0.9},
    {"type": "sgd", "momentum": 0.9, "nesterov": True},
    {"type": "rmsprop", "momentum": 0.9},
    {"type": "rmsprop", "centered": True},
    {"type": "adam", "amsgrad": True},
    {"type": "muon", "nesterov": False, "rms_rate": None},
    {"type": "adam", "weight_decay": 0.01, "clipnorm": 1.0},
    {"type": "adam", "use_ema": True, "ema_momentum": 0.5, "ema_overwrite_frequency": 10},
    {"type": "sgd", "gradient_accumulation_steps": 2, "global_clipnorm": 10.0},
]
# Those whose rate has another scale than Adam's.
LARGER_RATES = {"adagrad": 1.0, "adadelta": 1000.0, "ftrl": 1.0, "adafactor": 1.0, "schedule_free_adamw": 1.0}


@pytest.mark.parametrize("arguments", VARIANTS, ids=str)
def test_a_quadratic_is_minimised(arguments: dict[str, Any]) -> None:
    stepper = Stepper(optimizer(learning_rate=0.05, **arguments), [3.0, -2.0])
    scale = np.array([1.0, 4.0])
    rates = np.geomspace(LARGER_RATES.get(arguments["type"], 0.05), 0.01, 400)
    for rate in rates:
        stepper.step(scale * stepper.weight, learning_rate=rate)
    assert np.abs(stepper.weight).max() < 0.05


@pytest.mark.parametrize("arguments", VARIANTS, ids=str)
def test_a_zero_gradient_from_the_start_changes_nothing(arguments: dict[str, Any]) -> None:
    still = {name: 0.0 for name in ("weight_decay", "adam_weight_decay") if getattr(optimizer(**arguments), name, 0)}
    stepper = Stepper(optimizer(**arguments | still), [1.0, -2.0])
    for _ in range(3):
        stepper.step(np.zeros(2))
    # The weight of FTRL is a function of all gradients, and not of where it was.
    expected = [0.0, 0.0] if arguments["type"] == "ftrl" else [1.0, -2.0]
    np.testing.assert_allclose(stepper.weight, expected, rtol=1e-15)


def test_sgd_steps_against_the_gradient() -> None:
    assert Stepper(optimizer(type="sgd", learning_rate=0.1), [1.0]).step([2.0]) == pytest.approx([0.8])


def test_momentum_approaches_a_step_of_rate_over_one_minus_momentum() -> None:
    stepper = Stepper(optimizer(type="sgd", learning_rate=0.1, momentum=0.9), [0.0])
    path = [float(stepper.step([1.0])[0]) for _ in range(200)]
    # v_t = −α·(1 − μᵗ)/(1 − μ)
    velocity = -0.1 * (1 - 0.9 ** np.arange(1, 201)) / (1 - 0.9)
    np.testing.assert_allclose(path, np.cumsum(velocity))


def test_nesterov_looks_one_step_of_momentum_ahead() -> None:
    stepper = Stepper(optimizer(type="sgd", learning_rate=0.1, momentum=0.9, nesterov=True), [0.0])
    assert stepper.step([1.0]) == pytest.approx([-0.1 * (1 + 0.9)])


def test_the_rate_is_part_of_the_velocity() -> None:
    # Keras's form: a change of the rate does not rescale the momentum gathered so far.
    stepper = Stepper(optimizer(type="sgd", learning_rate=1.0, momentum=0.5), [0.0])
    stepper.step([1.0])
    before = stepper.weight
    assert stepper.step([0.0], learning_rate=1e-9) - before == pytest.approx([-0.5])


@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e3])
def test_adams_first_step_is_sign_descent(scale: float) -> None:
    stepper = Stepper(optimizer(type="adam", learning_rate=0.1), [1.0, 1.0])
    # ε weighs 1/√(1 − β₂) as much as in the paper's form.
    effective = 1e-7 / np.sqrt(1 - 0.999)
    expected = 1 - 0.1 * np.array([scale, -scale]) / (scale + effective)
    np.testing.assert_allclose(stepper.step(np.array([scale, -scale])), expected, rtol=1e-12)
    np.testing.assert_allclose(stepper.weight, [0.9, 1.1], rtol=1e-2)


def test_adam_keeps_its_step_for_a_constant_gradient() -> None:
    stepper = Stepper(optimizer(type="adam", learning_rate=0.1, epsilon=1e-12), [0.0])
    path = [float(stepper.step([7.0])[0]) for _ in range(5)]
    np.testing.assert_allclose(path, -0.1 * np.arange(1, 6), rtol=1e-6)


def test_amsgrad_never_forgets_a_large_gradient() -> None:
    arguments = {"type": "adam", "beta_1": 0.0, "beta_2": 0.1}
    plain, amsgrad = (Stepper(optimizer(**arguments, amsgrad=flag), [0.0]) for flag in (False, True))
    for gradient in [100.0, *[1.0] * 6]:
        plain.step([gradient])
        amsgrad.step([gradient])
    assert amsgrad.slots["largest_second_moment"] == pytest.approx([9000.0])
    assert plain.slots["second_moment"] == amsgrad.slots["second_moment"]
    assert plain.slots["second_moment"] < 2
    assert abs(float(plain.weight[0])) > 2 * abs(float(amsgrad.weight[0]))


def test_adagrad_decays_as_one_over_the_root_of_the_step() -> None:
    stepper = Stepper(optimizer(type="adagrad", learning_rate=0.1, initial_accumulator_value=0.0, epsilon=1e-12), [0.0])
    path = [0.0, *(float(stepper.step([3.0])[0]) for _ in range(20))]
    np.testing.assert_allclose(-np.diff(path), 0.1 / np.sqrt(np.arange(1, 21)), rtol=1e-9)


def test_adagrads_first_value_damps_the_first_step() -> None:
    stepper = Stepper(optimizer(type="adagrad", learning_rate=0.1, initial_accumulator_value=8.0), [0.0])
    assert stepper.step([1.0]) == pytest.approx([-0.1 / 3], rel=1e-6)


def test_rmsprops_first_step_is_larger_by_the_missing_correction() -> None:
    stepper = Stepper(optimizer(type="rmsprop", learning_rate=0.1, rho=0.9), [0.0])
    assert stepper.step([5.0]) == pytest.approx([-0.1 / np.sqrt(0.1)], rel=1e-6)


def test_centered_rmsprop_survives_a_constant_gradient() -> None:
    # The variance is 0 in exact arithmetic; rounding makes it negative, and ε is smaller than that here.
    stepper = Stepper(optimizer(type="rmsprop", centered=True, rho=0.5, epsilon=1e-30), [0.0])
    for _ in range(200):
        assert np.isfinite(stepper.step([1e3 / 3])).all()


SLOTS = {
    ("sgd", ()): set(),
    ("sgd", (("momentum", 0.9),)): {"velocity"},
    ("rmsprop", ()): {"second_moment"},
    ("rmsprop", (("centered", True), ("momentum", 0.9))): {"second_moment", "first_moment", "velocity"},
    ("adam", ()): {"first_moment", "second_moment"},
    ("adam", (("amsgrad", True),)): {"first_moment", "second_moment", "largest_second_moment"},
    ("adagrad", ()): {"accumulator"},
}


@pytest.mark.parametrize(("name", "arguments"), SLOTS)
def test_slots(name: str, arguments: tuple[tuple[str, Any], ...]) -> None:
    stepper = Stepper(optimizer(type=name, **dict(arguments)), [1.0])
    assert set(stepper.slots) == SLOTS[name, arguments]


SAME = [
    ({"type": "sgd", "momentum": 0.9}, {"type": "sgd", "momentum": 0.5, "learning_rate": 1.0}, True),
    ({"type": "sgd", "momentum": 0.9}, {"type": "sgd"}, False),
    ({"type": "sgd", "momentum": 0.9}, {"type": "sgd", "momentum": 0.9, "nesterov": True}, False),
    ({"type": "sgd"}, {"type": "sgd", "nesterov": True}, True),
    ({"type": "rmsprop"}, {"type": "rmsprop", "rho": 0.5, "epsilon": 1e-3}, True),
    ({"type": "rmsprop"}, {"type": "rmsprop", "centered": True}, False),
    ({"type": "rmsprop"}, {"type": "rmsprop", "momentum": 0.1}, False),
    ({"type": "adam"}, {"type": "adam", "beta_1": 0.5, "learning_rate": 1.0}, True),
    ({"type": "adam"}, {"type": "adam", "amsgrad": True}, False),
    ({"type": "adam"}, {"type": "rmsprop"}, False),
    ({"type": "adagrad"}, {"type": "adagrad", "initial_accumulator_value": 1.0}, True),
]


@pytest.mark.parametrize(("first", "second", "same"), SAME, ids=str)
def test_structure_changes_with_slots_and_formula_alone(first: Any, second: Any, same: bool) -> None:
    assert (optimizer(**first).structure() == optimizer(**second).structure()) == same


@pytest.mark.parametrize("arguments", VARIANTS, ids=str)
def test_one_structure_writes_one_graph(arguments: dict[str, Any]) -> None:
    def written(part: Optimizer) -> list[str]:
        return [repr(value) for value in Stepper(part, np.zeros((2, 3))).graph.values]

    part = optimizer(**arguments)
    numbers = {name for name, value in part if isinstance(value, float) and value > 0}
    changed = optimizer(**arguments | {name: getattr(part, name) / 2 for name in numbers})
    assert part.structure() == changed.structure()
    assert written(part) == written(changed)


@pytest.mark.parametrize("arguments", VARIANTS, ids=str)
def test_every_number_is_a_run_time_input(arguments: dict[str, Any]) -> None:
    part = optimizer(**arguments)
    # Of muon a matrix asks for one half of the numbers, a vector for the other.
    asked = {name for shape in ((2,), (2, 2)) for name in Stepper(part, np.ones(shape)).hyperparameters}
    numbers = {name for name, value in part if isinstance(value, float)}
    unused = {"momentum"} if getattr(part, "momentum", 1.0) == 0 else set()
    unused |= set() if part.use_ema else {"ema_momentum"}
    # The first value of a slot is no part of the update.
    assert asked == numbers - unused - {"initial_accumulator_value"}
