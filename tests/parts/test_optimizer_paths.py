"""Optimizers on several weights: ten steps as in Keras, with every option; what is checked and what is kept."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from tests.steppers import Trainer
from trainer_cli.errors import ConfigError
from trainer_cli.parts.constraints.max_norm import MaxNorm
from trainer_cli.parts.families import OPTIMIZERS, read_part
from trainer_cli.parts.optimizer import Optimizer
from trainer_cli.targets.reference.interpreter import evaluate

GOLDEN = json.loads((Path(__file__).parent.parent / "golden" / "keras_optimizers.json").read_text())
GIVEN = GOLDEN["given"]


def optimizer(**arguments: Any) -> Optimizer:
    part = read_part(OPTIMIZERS, arguments)
    assert isinstance(part, Optimizer)
    return part


@pytest.mark.parametrize("case", GOLDEN["cases"], ids=lambda case: str(case["part"]))
def test_keras_takes_the_same_steps(case: dict[str, Any]) -> None:
    constraints = {GIVEN["constrained"]: MaxNorm(max_value=1.0)}
    # Keras takes means and norms in float32; and the constraint moves a weight by its ε before the first update of
    # several batches, which is when the point of `schedule_free_adamw` begins.
    loose = case["part"]["type"] in ("adafactor", "muon", "schedule_free_adamw")
    close = {"rtol": 1e-9, "atol": 2e-7 if loose else 1e-11}
    model = Trainer(optimizer(**case["part"]), GIVEN["start"], constraints)
    for step, (gradients, rate) in enumerate(zip(GIVEN["gradients"], GIVEN["rates"], strict=True)):
        changed = {} if "learning_rate" in case["part"] else {"learning_rate": rate}
        weights = model.step(gradients, **changed)
        for name, path in case["path"].items():
            np.testing.assert_allclose(weights[name], path[step], err_msg=f"{name}, {step}", **close)
    for name, value in case.get("final", {}).items():
        np.testing.assert_allclose(model.slots[model.update.averages[name]], value, **close)


WEIGHTS = {"dense_1/kernel": [[1.0, -2.0, 0.5], [0.25, 1.5, -1.0]], "dense_1/bias": [0.5, -0.5, 1.0]}
NONE = {name: np.zeros_like(value) for name, value in WEIGHTS.items()}


def moved(gradients: dict[str, Any] = NONE, steps: int = 1, **arguments: Any) -> dict[str, np.ndarray[Any, Any]]:
    """By how much steps of plain gradient descent with rate 0.1 move the weights."""
    model = Trainer(optimizer(**{"type": "sgd", "learning_rate": 0.1, **arguments}), WEIGHTS)
    for _ in range(steps):
        model.step(gradients)
    return {name: model.weights[name] - np.asarray(value) for name, value in WEIGHTS.items()}


def test_every_name_has_golden_steps() -> None:
    parts = json.loads((Path(__file__).parent.parent / "golden" / "keras_parts.json").read_text())["optimizers"]
    assert {case["part"]["type"] for case in [*GOLDEN["cases"], *parts]} == set(OPTIMIZERS.names())


def test_weights_decay_by_the_rate_times_the_decay_unless_they_are_excluded() -> None:
    found = moved(weight_decay=0.2)
    for name, value in WEIGHTS.items():
        np.testing.assert_allclose(found[name], -0.1 * 0.2 * np.asarray(value))
    found = moved(weight_decay=0.2, exclude_from_weight_decay=["bias"])
    assert not found["dense_1/bias"].any()
    assert found["dense_1/kernel"].all()
    assert not any(value.any() for value in moved(weight_decay=0.2, exclude_from_weight_decay=["^dense_1/"]).values())


def test_an_exclusion_that_excludes_nothing_is_a_mistake() -> None:
    with pytest.raises(ConfigError) as caught:
        moved(weight_decay=0.2, exclude_from_weight_decay=["bias", "kernal"])
    (problem,) = caught.value.problems
    assert problem.path == ("optimizer", "exclude_from_weight_decay", 1)
    assert problem.hint == "did you mean `kernel`?"
    with pytest.raises(ConfigError, match="no weight's name contains `head`"):
        moved(type="muon", exclude_layers=["head"])


GRADIENTS = {"dense_1/kernel": np.full((2, 3), 2.0), "dense_1/bias": np.array([0.1, -3.0, 0.0])}


def norms(found: dict[str, Any]) -> list[float]:
    return [float(np.linalg.norm(value)) / 0.1 for value in found.values()]


def test_clipping_limits_what_it_says() -> None:
    assert norms(moved(GRADIENTS)) == pytest.approx([np.sqrt(24.0), np.sqrt(9.01)])
    assert norms(moved(GRADIENTS, clipnorm=4.0)) == pytest.approx([4.0, np.sqrt(9.01)])
    assert np.linalg.norm(norms(moved(GRADIENTS, global_clipnorm=4.0))) == pytest.approx(4.0)
    assert norms(moved(GRADIENTS, global_clipnorm=40.0)) == pytest.approx(norms(moved(GRADIENTS)))
    np.testing.assert_allclose(moved(GRADIENTS, clipvalue=0.5)["dense_1/bias"], [-0.01, 0.05, 0.0])


@pytest.mark.parametrize("clip", ["clipnorm", "global_clipnorm", "clipvalue"])
def test_clipping_no_gradient_at_all_changes_nothing(clip: str) -> None:
    assert not any(value.any() for value in moved(**{clip: 0.1}).values())


def test_a_mean_of_batches_makes_one_update() -> None:
    model = Trainer(optimizer(type="adam", gradient_accumulation_steps=3), WEIGHTS)
    single = Trainer(optimizer(type="adam"), WEIGHTS)
    random = np.random.default_rng(0)
    for _ in range(4):
        batches = [{name: random.normal(size=np.shape(value)) for name, value in WEIGHTS.items()} for _ in range(3)]
        for batch in batches[:2]:
            before = model.weights
            after = model.step(batch)
            assert all((before[name] == after[name]).all() for name in WEIGHTS)
        model.step(batches[2])
        single.step({name: sum(batch[name] for batch in batches) / 3 for name in WEIGHTS})
        for name in WEIGHTS:
            np.testing.assert_allclose(model.weights[name], single.weights[name], rtol=1e-12)
            assert not model.slots[f"{name}/accumulated_gradient"].any()


@pytest.mark.parametrize("precision", [np.float32, np.float64])
@pytest.mark.parametrize("count", [2, 3, 7, 10, 49])
def test_updates_are_counted_exactly(count: int, precision: Any) -> None:
    model = Trainer(optimizer(type="adam", gradient_accumulation_steps=count), {"w/w": [1.0]})
    due = model.graph.updates["w/w"].operands[0]
    while due.op == "broadcast":
        due = due.operands[0]
    for step in [*range(3 * count), *range(10**6, 10**6 + 2 * count), *range(2**24 - 3 * count, 2**24)]:
        (found,) = evaluate([due], {"step": step}, 1, precision)
        assert bool(found) == ((step + 1) % count == 0), step


def test_the_average_begins_at_the_weight_and_follows_it() -> None:
    model = Trainer(optimizer(type="sgd", learning_rate=1.0, use_ema=True, ema_momentum=0.75), {"w/w": [0.0]})
    path = []
    for _ in range(3):
        model.step({"w/w": [-1.0]})
        path.append(float(model.slots["w/w/average"][0]))
    assert path == [1.0, 0.75 * 1 + 0.25 * 2, 0.75 * 1.25 + 0.25 * 3]
    assert model.update.averages == {"w/w": "w/w/average"}


def test_what_excludes_each_other_is_refused() -> None:
    for wrong in (
        {"clipnorm": 1.0, "clipvalue": 1.0},
        {"clipvalue": 1.0, "global_clipnorm": 1.0},
        {"clipnorm": 0.0},
        {"ema_overwrite_frequency": 3},
        {"use_ema": True, "ema_overwrite_frequency": 0},
        {"gradient_accumulation_steps": 1},
        {"exclude_from_weight_decay": ["("]},
        {"exclude_from_weight_decay": "bias"},
        {"weight_decay": -0.1},
    ):
        with pytest.raises(ValidationError):
            optimizer(type="adam", **wrong)
    with pytest.raises(ValidationError):
        optimizer(type="adamw", weight_decay=None)


@pytest.mark.parametrize("name", OPTIMIZERS.names())
def test_what_all_optimizers_share_starts_the_state_anew_where_it_must(name: str) -> None:
    plain = optimizer(type=name).structure()
    schedule = {"type": "inverse_time_decay", "initial_learning_rate": 1.0, "decay_steps": 1, "decay_rate": 1}
    for same in ({"clipnorm": 1.0}, {"weight_decay": 0.1}, {"learning_rate": 0.5}, {"learning_rate": schedule}):
        assert optimizer(type=name, **same).structure() == plain
    for other in ({"use_ema": True}, {"gradient_accumulation_steps": 2}):
        assert optimizer(type=name, **other).structure() != plain


def test_adafactor_keeps_rows_and_columns_alone() -> None:
    model = Trainer(optimizer(type="adafactor"), {"a/a": np.ones((5, 2, 3, 4)), "b/b": np.ones(7)})
    shapes = {name: value.shape for name, value in model.slots.items()}
    assert shapes == {
        "a/a/row_mean_square": (5, 2, 3),
        "a/a/column_mean_square": (5, 2, 4),
        "b/b/mean_square": (7,),
    }


@pytest.mark.parametrize("shape", [(4, 4), (2, 7), (7, 2), (1, 5)])
def test_muon_steps_as_far_in_every_direction(shape: tuple[int, int]) -> None:
    arguments = {"type": "muon", "learning_rate": 1.0, "weight_decay": None, "rms_rate": None, "ns_steps": 25}
    # The coefficients of the iteration that converges to the polar factor.
    part = optimizer(**arguments, muon_a=1.875, muon_b=-1.25, muon_c=0.375)
    model = Trainer(part, {"w/w": np.zeros(shape)})
    gradient = np.random.default_rng(0).normal(size=shape)
    step = -model.step({"w/w": gradient})["w/w"]
    u, _, v = np.linalg.svd(gradient, full_matrices=False)
    np.testing.assert_allclose(step, u @ v, atol=1e-6)


def test_ftrl_makes_weights_exactly_zero() -> None:
    model = Trainer(optimizer(type="ftrl", learning_rate=0.1, l1_regularization_strength=2.0), {"w/w": [1.0, 1.0]})
    found = model.step({"w/w": [0.1, -20.0]})["w/w"]
    assert found[0] == 0.0
    assert found[1] != 0.0


def test_lion_always_takes_the_same_step() -> None:
    model = Trainer(optimizer(type="lion", learning_rate=0.1), {"w/w": [0.0, 0.0, 0.0]})
    np.testing.assert_allclose(model.step({"w/w": [1e-6, -7.0, 0.0]})["w/w"], [-0.1, 0.1, 0.0])
