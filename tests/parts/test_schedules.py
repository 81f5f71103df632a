"""Schedules: the rates of Keras and PyTorch, the edges, nesting, run-time numbers, and the same rates natively."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from tests.native import NativeGraph
from trainer_cli.compiler.rate import write_rate
from trainer_cli.ir import language as ir
from trainer_cli.ir.graph import Graph, Value
from trainer_cli.parts.families import OPTIMIZERS, SCHEDULES, read_part
from trainer_cli.parts.optimizer import Optimizer
from trainer_cli.parts.schedule import Schedule
from trainer_cli.targets.reference.interpreter import evaluate

GOLDEN = json.loads((Path(__file__).parent.parent / "golden" / "keras_schedules.json").read_text())
CASES = [*GOLDEN["keras"], *GOLDEN["torch"]]


def written(rate: Any) -> tuple[Value, dict[str, float]]:
    numbers: dict[str, float] = {}
    part = rate if isinstance(rate, float) else read_part(SCHEDULES, rate)
    assert isinstance(part, (float, Schedule))
    return write_rate(part, Graph().input("step", (), "int"), numbers), numbers


def rates(schedule: Any, steps: Any, **changed: float) -> list[float]:
    value, numbers = written(schedule)
    return [float(evaluate([value], {"step": step, **numbers, **changed}, 1)[0]) for step in steps]


@pytest.mark.parametrize("case", CASES, ids=lambda case: str(case["part"]))
def test_the_rates_are_those_of_the_library_that_the_name_is_from(case: dict[str, Any]) -> None:
    # Keras's π and its half cosine are float32.
    cosine = case["part"]["type"].startswith("cosine")
    found = rates(case["part"], case["steps"])
    np.testing.assert_allclose(found, case["rates"], rtol=1e-5 if cosine else 1e-12, atol=1e-8 if cosine else 0)


def test_every_schedule_has_golden_rates_or_a_closed_form_here() -> None:
    assert {case["part"]["type"] for case in CASES} | {"linear_warmup"} == set(SCHEDULES.names())


def test_a_restart_comes_on_time_whatever_the_logarithm_says() -> None:
    schedule = {"type": "cosine_decay_restarts", "initial_learning_rate": 1.0, "first_decay_steps": 5, "t_mul": 3.0}
    starts = [5 * (3**i - 1) // 2 for i in range(9)]
    assert rates(schedule, starts) == pytest.approx([1.0] * 9)
    assert max(rates(schedule, [start - 1 for start in starts[1:]])) < 0.1


def test_a_polynomial_decay_with_cycles_never_takes_a_power_of_less_than_nothing() -> None:
    schedule = {"type": "polynomial_decay", "initial_learning_rate": 0.3, "decay_steps": 0.7, "power": 0.5}
    assert np.isfinite(rates({**schedule, "cycle": True}, range(200))).all()


def test_one_cycle_stays_at_its_last_rate() -> None:
    schedule = {"type": "one_cycle", "max_learning_rate": 1.0, "total_steps": 10}
    assert rates(schedule, [9, 10, 1000]) == pytest.approx([4e-6] * 3)


@pytest.mark.parametrize("share", [0.01, 0.1, 0.99])
def test_one_cycle_is_finite_where_a_stretch_has_no_updates(share: float) -> None:
    schedule = {"type": "one_cycle", "max_learning_rate": 1.0, "total_steps": 10, "pct_start": share}
    found = rates(schedule, range(12))
    assert np.isfinite(found).all()
    assert 0 < min(found) < max(found) <= 1


def test_a_warm_up_rises_to_a_number_and_stays() -> None:
    schedule = {"type": "linear_warmup", "warmup_steps": 4, "learning_rate": 0.8}
    assert rates(schedule, range(7)) == pytest.approx([0.0, 0.2, 0.4, 0.6, 0.8, 0.8, 0.8])
    assert rates({**schedule, "initial_learning_rate": 0.4}, range(5)) == pytest.approx([0.4, 0.5, 0.6, 0.7, 0.8])


def test_a_warm_up_leads_to_the_first_rate_of_a_schedule_and_then_follows_it() -> None:
    inner = {"type": "exponential_decay", "initial_learning_rate": 0.8, "decay_steps": 1, "decay_rate": 0.5}
    schedule = {"type": "warmup", "warmupSteps": 2, "learning_rate": inner}
    assert rates(schedule, range(5)) == pytest.approx([0.0, 0.4, 0.8, 0.4, 0.2])
    _, numbers = written(schedule)
    assert numbers["learning_rate.learning_rate.decay_rate"] == 0.5


@pytest.mark.parametrize("case", CASES, ids=lambda case: str(case["part"]))
def test_every_number_is_a_run_time_input(case: dict[str, Any]) -> None:
    value, numbers = written(case["part"])
    part = read_part(SCHEDULES, case["part"])
    given = [number for _, field in part for number in (field if isinstance(field, tuple) else [field])]
    wanted = [float(number) for number in given if isinstance(number, float)]
    unused = [0.0] if case["part"]["type"] == "cosine_decay" and "warmup_target" not in case["part"] else []
    fixed = [1.0] if case["part"].get("t_mul") == 1 else []
    assert sorted(numbers.values()) == sorted(set_minus(wanted, unused + fixed))
    assert all(name.startswith("learning_rate.") for name in numbers)
    doubled = {name: 2 * number for name, number in numbers.items()}
    assert [repr(each) for each in value.graph.values] == [repr(each) for each in written(case["part"])[0].graph.values]
    assert np.isfinite(evaluate([value], {"step": 3, **doubled}, 1)[0])


def set_minus(numbers: list[float], without: list[float]) -> list[float]:
    left = list(numbers)
    for each in without:
        left.remove(each)
    return left


def test_native_code_gives_the_same_rates() -> None:
    graph = Graph()
    state: dict[str, float] = {}
    for index, case in enumerate(CASES):
        numbers: dict[str, float] = {}
        part = read_part(SCHEDULES, case["part"])
        assert isinstance(part, Schedule)
        # One graph for all: the names of the numbers are told apart by a number in front.
        other = Graph()
        value = write_rate(part, other.input("step", (), "int"), numbers)
        assert value.graph is other
        copied = copy_with_names(graph, value, f"{index}:")
        state |= {f"{index}:{name}": number for name, number in numbers.items()}
        graph.updates[f"rate {index}"] = copied
        graph.state(f"rate {index}", ())
    native = NativeGraph(graph, 1)
    for step in (0, 1, 7, 10, 15, 20, 35, 39):
        found = native.run(state, 1, step=step)
        for index, case in enumerate(CASES):
            (expected,) = rates(case["part"], [step])
            assert float(found[f"rate {index}'"]) == pytest.approx(expected, rel=1e-6), case["part"]


def copy_with_names(graph: Graph, value: Value, prefix: str) -> Value:
    from trainer_cli.ir.graph import copy_into, reachable

    def rewrite(each: Value, operands: tuple[Value, ...]) -> Value | None:
        if each.op == "hyperparameter":
            return graph.hyperparameter(prefix + each.name)
        return graph.step() if each.op == "input" else None

    return copy_into(graph, reachable([value]), {}, rewrite)[value] + ir.constant(graph, 0.0)


REFUSED = [
    ({"type": "cosine_decay", "initial_learning_rate": 0.1, "decay_steps": 9, "warmup_steps": 3}, "warmup_steps"),
    ({"type": "cosine_decay", "initial_learning_rate": 0.0, "decay_steps": 9}, "initial_learning_rate"),
    ({"type": "cosine_decay", "initial_learning_rate": 0.1, "decay_steps": 0}, "decay_steps"),
    ({"type": "piecewise_constant_decay", "boundaries": [9, 5], "values": [1.0, 2.0, 3.0]}, "boundaries"),
    ({"type": "piecewise_constant_decay", "boundaries": [5], "values": [1.0]}, "values"),
    ({"type": "piecewise_constant_decay", "boundaries": [5], "values": [1.0, 0.0]}, "values"),
    ({"type": "piecewise_constant_decay", "boundaries": ["5"], "values": [1.0, 2.0]}, "boundaries"),
    ({"type": "linear_warmup", "warmup_steps": 5, "learning_rate": -1.0}, "learning_rate"),
    ({"type": "one_cycle", "max_learning_rate": 1.0, "total_steps": 9, "anneal_strategy": "log"}, "anneal_strategy"),
]


@pytest.mark.parametrize(("given", "field"), REFUSED, ids=str)
def test_what_makes_no_sense_is_refused_at_its_field(given: dict[str, Any], field: str) -> None:
    with pytest.raises(ValidationError) as caught:
        read_part(SCHEDULES, given)
    assert field in {step for error in caught.value.errors() for step in error["loc"]}


def test_an_optimizer_takes_a_number_or_a_schedule() -> None:
    schedule = {"type": "exponential_decay", "initial_learning_rate": 0.1, "decay_steps": 9.0, "decay_rate": 0.5}
    part = read_part(OPTIMIZERS, {"type": "adam", "learning_rate": schedule})
    assert isinstance(part, Optimizer)
    assert isinstance(part.learning_rate, Schedule)
    assert part.model_dump(mode="json")["learning_rate"] == {**schedule, "staircase": False}
    assert read_part(OPTIMIZERS, part.model_dump(mode="json")) == part
    for wrong in (0, -0.1, "0.1", True, [0.1], "no_such_schedule", {"type": "adam"}, None):
        with pytest.raises(ValidationError):
            read_part(OPTIMIZERS, {"type": "adam", "learning_rate": wrong})
