"""Early stopping decides as Keras 3 does, on sequences worked out by hand from its source, or as TensorFlow.js did."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from tests.golden_layers import stored
from trainer_cli.parts.families import plain_key
from trainer_cli.training.monitor import (
    check_monitors,
    default_monitor,
    direction,
    improves,
    observe,
    observe_best,
    stop_reason,
)
from trainer_cli.training.state import Best, Patience


def settings(**changes):
    values = {
        "monitor": "val_loss",
        "patience": 0,
        "min_delta": 0.0,
        "mode": "auto",
        "baseline": None,
        "restore_best": False,
        "start_from_epoch": 0,
    }
    return SimpleNamespace(**{**values, **changes})


def watch(values, mode="min", numerics="keras", **changes):
    """The epochs trained and what early stopping remembers, for a sequence of monitored values."""
    patience = Patience()
    for epoch, value in enumerate(values):
        observe(patience, settings(**changes), epoch, value, mode, numerics)
        if patience.stopped:
            return epoch + 1, patience
    return len(values), patience


def run(values, mode="min", **changes):
    """(epochs trained, best epoch) for a sequence of monitored values."""
    epochs, patience = watch(values, mode, **changes)
    return epochs, patience.best_epoch


@pytest.mark.parametrize(
    ("values", "changes", "expected"),
    [
        ([3, 2, 1, 0.5], {}, (4, 3)),
        ([3, 2, 2, 1], {}, (3, 1)),  # equal is no improvement; patience 0 stops at once
        ([3, 4, 5, 6], {"patience": 2}, (3, 0)),
        ([3, 4, 2, 4, 4, 1], {"patience": 2}, (5, 2)),
        ([1.0, 0.95, 0.91, 0.86, 0.8], {"min_delta": 0.1, "patience": 3}, (5, 3)),
        ([1.0, 0.95, 0.94], {"min_delta": 0.1, "patience": 2}, (3, 0)),
        # Improving, but never below the baseline: the wait is not reset, so the first bad epoch stops.
        ([5, 4, 3, 3.5], {"baseline": 1.0, "patience": 2}, (4, 2)),
        ([5, 4, 0.5, 3, 3], {"baseline": 1.0, "patience": 2}, (5, 2)),
        ([1, 9, 9, 5, 6], {"start_from_epoch": 3}, (5, 3)),
        ([None, 2, 1], {"patience": 1}, (3, 2)),
        ([1, float("nan"), 0.5], {"patience": 2}, (3, 2)),
        ([None, None, None], {"patience": 2}, (2, None)),
    ],
)
def test_early_stopping_stops_when_keras_does(values, changes, expected):
    assert run(values, **changes) == expected


STOPPED_BY_TFJS = stored("tfjs_stopping.json")["cases"]
DIRECTIONS = {"acc": "max", "precision": "max"}


def read(case):
    """What a case gives in our words, without the mode, and the direction that follows from it."""
    given = {plain_key(key): value for key, value in case["settings"].items()}
    mode = direction(given.get("monitor", "val_loss"), given.pop("mode", "auto"), DIRECTIONS)
    return given, mode


@pytest.mark.parametrize("case", STOPPED_BY_TFJS, ids=lambda case: f"{case['settings']} {case['values']}")
def test_early_stopping_stops_when_tensorflow_js_did(case):
    given, mode = read(case)
    epochs, patience = watch(case["values"], mode, "tfjs", **given)
    if given.get("monitor") == "val_precision":
        # Its bug: where no name holds `acc`, smaller is better, and a rising precision ends the run.
        assert (case["epochs"], case["best"]) == (3, 0.1)
        assert (epochs, patience.best) == (5, 0.5)
    else:
        assert epochs == case["epochs"]
        assert (given.get("baseline") if patience.best is None else patience.best) == case["best"]


def test_the_two_libraries_differ_by_what_a_baseline_begins_with():
    differ = []
    for case in STOPPED_BY_TFJS:
        given, mode = read(case)
        if watch(case["values"], mode, "keras", **given)[0] != watch(case["values"], mode, "tfjs", **given)[0]:
            differ.append(given)
    assert differ
    assert all("baseline" in given for given in differ)


def test_a_run_that_never_passes_its_baseline_says_so():
    epochs, patience = watch([5, 4], numerics="tfjs", baseline=1.5, patience=2)
    assert (epochs, patience.best_epoch) == (2, None)
    assert stop_reason(patience, settings(baseline=1.5), False) == "val_loss has not been better than the baseline 1.5"
    assert stop_reason(watch([None, None])[1], settings(), False) == "val_loss has no value"


def test_larger_is_better_in_mode_max():
    assert run([0.1, 0.2, 0.2], mode="max") == (3, 1)
    assert improves(0.2, 0.1, "max")
    assert not improves(0.2, 0.15, "max", min_delta=0.1)


def test_the_first_epoch_never_stops_a_run():
    assert run([None, None], patience=0) == (2, None)


def test_auto_mode_follows_the_metric():
    directions = {"accuracy": "max", "mean_squared_error": "min"}
    assert direction("val_accuracy", "auto", directions) == "max"
    assert direction("accuracy", "auto", directions) == "max"
    assert direction("val_mean_squared_error", "auto", directions) == "min"
    assert direction("val_loss", "auto", directions) == "min"
    assert direction("val_accuracy", "min", directions) == "min"


def test_best_epoch_needs_a_strictly_better_value():
    best = Best(monitor="loss", mode="min")
    assert observe_best(best, 1.0, {"epoch": 1})
    assert not observe_best(best, 1.0, {"epoch": 2})
    assert not observe_best(best, None, {"epoch": 3})
    assert observe_best(best, 0.9, {"epoch": 4})
    assert best.report == {"epoch": 4}


def fit_section(monitor=None, checkpoint=None):
    stopping = None if monitor is None else settings(monitor=monitor)
    return SimpleNamespace(early_stopping=stopping, checkpoint=SimpleNamespace(monitor=checkpoint, mode="auto"))


def test_a_misspelled_monitor_is_found_with_its_place_and_the_nearest_name():
    (problem,) = check_monitors(fit_section("val_acuracy"), ["accuracy"], True)
    assert problem.path == ("fit", "early_stopping", "monitor")
    assert "`val_accuracy`" in problem.hint
    (problem,) = check_monitors(fit_section(None, "los"), [], False, ("phases", 1, "fit"))
    assert problem.path == ("phases", 1, "fit", "checkpoint", "monitor")
    assert "`loss`" in problem.hint


def test_validation_keys_need_validation_data():
    (problem,) = check_monitors(fit_section("val_loss"), ["accuracy"], False)
    assert "needs validation data" in problem.message
    assert "`loss`" in problem.hint
    assert check_monitors(fit_section("val_loss", "val_accuracy"), ["accuracy"], True) == []
    assert check_monitors(fit_section("accuracy", "loss"), ["accuracy"], False) == []


def test_the_default_monitor_is_the_loss_on_the_best_data_there_is():
    assert (default_monitor(True), default_monitor(False)) == ("val_loss", "loss")
