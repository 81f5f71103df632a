"""Conditions are read without evaluating anything, known before training, and judged by what was measured."""

from __future__ import annotations

import math

import pytest

from trainer_cli.errors import ConfigError, GateError
from trainer_cli.training.gates import Gate, check_keys, judge, read_gates, refuse, values_of_training

SUMMARY = {
    "epochs": 3,
    "steps": 12,
    "final": {"loss": 0.5, "val_loss": 0.6, "test_accuracy": None},
    "best": {"monitor": "val_loss", "value": 0.55, "phase": 1, "epoch": 2, "loss": 0.45, "val_loss": 0.55},
    "seconds": {"compile": 1.0, "train": 2.0, "total": 3.5},
}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("val_accuracy < 0.9", ("val_accuracy", "<", 0.9)),
        ("loss>=1e-3", ("loss", ">=", 1e-3)),
        ("  best.val_loss  !=  -2 ", ("best.val_loss", "!=", -2.0)),
        ("top 5 accuracy <= 90%", ("top 5 accuracy", "<=", 0.9)),
        ("f1==1", ("f1", "==", 1.0)),
    ],
)
def test_a_condition_is_a_name_a_sign_and_a_number(text, expected):
    (gate,) = read_gates([text])
    assert (gate.key, gate.sign, gate.bound) == pytest.approx(expected)


@pytest.mark.parametrize(
    "text",
    ["", "loss", "loss <", "< 3", "loss < x", "loss = 3", "loss < nan", "loss < inf", "loss < 1_0", "loss < 3 or 1"],
)
def test_anything_else_is_refused(text):
    with pytest.raises(ConfigError, match="is no condition"):
        read_gates([text])


def test_all_that_cannot_be_read_is_told_at_once():
    with pytest.raises(ConfigError) as refused:
        read_gates(["loss", "accuracy < 1", "x > y"])
    assert len(refused.value.problems) == 2


def test_unknown_keys_are_refused_with_the_nearest():
    gates = read_gates(["val_acuracy < 1", "loss > 3"])
    with pytest.raises(ConfigError) as refused:
        check_keys(gates, ["loss", "val_accuracy"])
    (problem,) = refused.value.problems
    assert problem.hint is not None
    assert problem.hint.startswith("did you mean `val_accuracy`?")
    check_keys(gates[1:], ["loss"])


def test_the_values_of_a_summary():
    assert values_of_training(SUMMARY) == {
        "loss": 0.5,
        "val_loss": 0.6,
        "test_accuracy": None,
        "best.loss": 0.45,
        "best.val_loss": 0.55,
        "epochs": 3,
        "steps": 12,
        "seconds.compile": 1.0,
        "seconds.train": 2.0,
        "seconds.total": 3.5,
    }


@pytest.mark.parametrize("sign", ["<", "<=", "==", "!=", ">=", ">"])
@pytest.mark.parametrize("value", [0.5, 1.0, 1.5])
def test_every_sign_means_what_it_means_in_python(sign, value):
    (outcome,) = judge([Gate("", "x", sign, 1.0)], {"x": value})
    expected = {
        "<": value < 1,
        "<=": value <= 1,
        "==": value == 1,
        "!=": value != 1,
        ">=": value >= 1,
        ">": value > 1,
    }
    assert outcome.failed == expected[sign]


@pytest.mark.parametrize("value", [None, math.nan])
def test_what_has_no_value_fails(value):
    (outcome,) = judge(read_gates(["x > 5"]), {"x": value})
    assert outcome.failed
    assert outcome.words == "x > 5: has no value"


def test_a_failure_tells_what_was_measured():
    refuse(judge(read_gates(["x > 5"]), {"x": 4.0}))
    with pytest.raises(GateError) as failed:
        refuse(judge(read_gates(["x > 5", "x > 3", "x < 4.5"]), {"x": 4.0}))
    assert failed.value.exit_code == 5
    assert failed.value.message == "2 of 3 gates failed\n  --fail-if x > 3: measured 4\n  --fail-if x < 4.5: measured 4"
