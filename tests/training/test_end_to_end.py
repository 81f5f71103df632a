"""Real configs through the real compiler and the reference target: training, stopping, killing, resuming, using."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from trainer_cli.config.load import load
from trainer_cli.errors import ConfigError, DataError, DivergenceError
from trainer_cli.training.checkpoints import CheckpointError, read_checkpoint
from trainer_cli.training.evaluate import evaluate
from trainer_cli.training.events import EpochDone, Finished, PhaseStarted
from trainer_cli.training.fit import FitOptions, fit
from trainer_cli.training.predict import predict
from trainer_cli.training.preparation import with_more_epochs

ROOT = Path(__file__).parents[2]
DIGITS = ROOT / "configs" / "digits.yaml"
PHASES = ROOT / "configs" / "digits-phases.yaml"


def run(config, directory, *overrides, **options):
    options.setdefault("target", "reference")
    if "resume" not in options:
        options["run_directory"] = directory
    return list(fit(load(config, overrides), FitOptions(**options)))


def last(directory):
    return read_checkpoint(directory / "checkpoints" / "last.safetensors")


def bits(directory):
    state = last(directory)
    return {name: value.tobytes() for name, value in (state.tensors() | state.totals).items()}


def lines(directory):
    return [json.loads(line) for line in (directory / "metrics.jsonl").read_text().splitlines()]


def without_clock(found):
    return [{key: value for key, value in line.items() if key != "seconds"} for line in found]


@pytest.fixture(scope="module")
def digits(tmp_path_factory):
    """A run of four epochs, which no test may change."""
    directory = tmp_path_factory.mktemp("digits") / "run"
    events = run(DIGITS, directory, "fit.epochs=4")
    return directory, events


def test_digits_learn(digits):
    directory, events = digits
    found = lines(directory)
    assert [event.report for event in events if isinstance(event, EpochDone)] == found
    assert found[-1]["val_accuracy"] > 0.9
    assert found[-1]["steps"] == 4 * 40
    assert all(isinstance(value, (int, float)) for line in found for value in line.values())
    assert isinstance(events[-1], Finished)
    assert events[-1].summary["final"]["test_accuracy"] > 0.9


def test_the_resolved_config_trains_to_the_same_bits(digits, tmp_path):
    directory, _ = digits
    run(directory / "config.yaml", tmp_path / "again")
    assert bits(tmp_path / "again") == bits(directory)


def test_evaluation_gives_the_numbers_of_training(digits):
    directory, events = digits
    found = evaluate(directory / "checkpoints" / "last.safetensors", part="validation", target="reference")
    final = events[-1].summary["final"]
    assert found.rows == 270
    assert found.results == {"loss": final["val_loss"], "accuracy": final["val_accuracy"]}
    found = evaluate(directory / "checkpoints" / "last.safetensors", target="reference")
    assert found.part == "test"
    assert found.results == {"loss": final["test_loss"], "accuracy": final["test_accuracy"]}


def test_evaluation_takes_a_config_with_weights(digits):
    directory, _ = digits
    loaded = load(DIGITS, ["metrics=[{type: accuracy, name: hits}]"])
    found = evaluate(directory, loaded, part="validation", target="reference")
    assert found.results["hits"] > 0.9
    loaded = load(DIGITS, ["architecture[0].units=100"])
    with pytest.raises(ConfigError, match=r"dense_1/kernel.* changed its shape from \(64, 128\) to \(64, 100\)"):
        evaluate(directory, loaded, target="reference")


def test_predictions_name_classes_and_need_no_labels(digits, tmp_path):
    import gzip

    directory, _ = digits
    with gzip.open(ROOT / "configs" / "data" / "digits.csv.gz", "rt") as file:
        header, *rows = [line.rstrip("\n").split(",") for line in file]
    label = header.index("label")
    order = [place for place in reversed(range(len(header))) if place != label]
    text = "\n".join(",".join(row[place] for place in order) for row in [header, *rows[:50]])
    (tmp_path / "new.csv").write_text(text + "\n")
    found = predict(directory, data=tmp_path / "new.csv", target="reference")["prediction"]
    assert found.values.shape == (50, 10)
    np.testing.assert_allclose(found.values.sum(1), 1, atol=1e-6)
    truth = [int(row[label]) for row in rows[:50]]
    names = list(found.class_names())
    assert sum(a == b for a, b in zip(names, truth, strict=True)) > 40


def test_what_cannot_be_evaluated_is_explained(digits, tmp_path):
    directory, _ = digits
    with pytest.raises(DataError, match="there is no file"):
        evaluate(directory, data=tmp_path / "missing.csv", target="reference")
    with pytest.raises(CheckpointError, match="holds no checkpoints"):
        evaluate(tmp_path, target="reference")
    with pytest.raises(ConfigError, match="no weights"):
        evaluate(target="reference")


def test_phases_carry_weights_over_and_freeze_layers(tmp_path):
    events = run(PHASES, tmp_path / "r", "fit.epochs=2", "phases[1].fit.epochs=2")
    (first, second) = [event for event in events if isinstance(event, PhaseStarted)]
    assert first.notes == ()
    (note,) = second.notes
    assert note.startswith("weights kept, optimizer state reset: the optimizer changed from adam to sgd, and the set")
    assert "no longer trained: edges/bias, edges/kernel" in note
    found = lines(tmp_path / "r")
    assert [line["learning_rate"] for line in found] == [0.002, 0.002, 0.01, 0.01]
    assert found[2]["loss"] < found[1]["loss"]
    best, end = (read_checkpoint(tmp_path / "r" / "checkpoints" / f"{stem}.safetensors") for stem in ("best", "last"))
    assert not [name for name in end.slots if name.startswith("edges/")]
    if best.counters.phase == 1:
        assert best.weights["edges/kernel"].tobytes() == end.weights["edges/kernel"].tobytes()
    # The frozen layer is the one that the first phase left.
    alone = run(PHASES, tmp_path / "one", "fit.epochs=2", "phases=[]")
    assert isinstance(alone[-1], Finished)
    assert last(tmp_path / "one").weights["edges/kernel"].tobytes() == end.weights["edges/kernel"].tobytes()


def test_a_schedule_free_learning_rate_change_keeps_adams_moments(tmp_path):
    phases = "phases=[{}, {optimizer: {type: adam, learning_rate: 1e-4}}]"
    events = run(DIGITS, tmp_path / "r", "fit.epochs=1", phases)
    second = [event for event in events if isinstance(event, PhaseStarted)][1]
    assert second.notes[0] == "weights and the state of adam kept (40 updates)"


def test_more_epochs_continue_to_the_bits_of_a_longer_run(digits, tmp_path):
    directory, _ = digits
    run(DIGITS, tmp_path / "r", "fit.epochs=2")
    loaded = load(tmp_path / "r" / "config.yaml")
    events = list(fit(loaded, FitOptions(resume=tmp_path / "r", extend_epochs=2, target="reference")))
    assert [event.epoch for event in events if isinstance(event, EpochDone)] == [3, 4]
    assert bits(tmp_path / "r") == bits(directory)
    assert load(tmp_path / "r" / "config.yaml").config.fit.epochs == 4


def test_epochs_are_added_to_the_last_phase():
    loaded = with_more_epochs(load(PHASES, ["fit.epochs=3", "phases[1].fit.epochs=5"]), 2)
    assert (loaded.config.fit.epochs, loaded.config.phases[1].fit.epochs) == (3, 7)
    loaded = with_more_epochs(load(PHASES, ["fit.epochs=3", "phases=[{}, {}]"]), 2)
    assert loaded.config.phases[0].fit is None
    assert loaded.config.phases[1].fit.epochs == 5
    assert "epochs: 5" in loaded.dump_yaml()


def test_an_uncompiled_model_cannot_be_fitted_and_the_error_shows_the_lines(tmp_path):
    text = "architecture: [{type: dense, units: 3, activation: softmax}]\n"
    path = tmp_path / "bare.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError) as caught:
        run(path, tmp_path / "r")
    (problem,) = caught.value.problems
    assert "`optimizer` and `loss` are missing" in problem.message
    assert "optimizer: adam\nloss: sparse_categorical_crossentropy" in problem.hint
    path.write_text(text + "optimizer: adam\nloss: sparse_categorical_crossentropy\n")
    with pytest.raises(ConfigError, match="no `data`"):
        run(path, tmp_path / "r")
    assert not (tmp_path / "r").exists()


def test_a_misspelled_monitor_is_found_before_any_training(tmp_path):
    with pytest.raises(ConfigError) as caught:
        run(DIGITS, tmp_path / "r", "fit.early_stopping.monitor=val_los")
    assert caught.value.problems[0].path == ("fit", "early_stopping", "monitor")
    assert not (tmp_path / "r").exists()


def test_divergence_is_reported_with_step_and_layer(tmp_path):
    overrides = ("optimizer={type: sgd, learning_rate: 1e30}", "fit.epochs=3")
    with pytest.raises(DivergenceError, match=r"epoch 1, step \d+ of 40, first in ") as caught:
        run(DIGITS, tmp_path / "r", *overrides)
    assert "learning_rate" in caught.value.hint
    assert last(tmp_path / "r").non_finite() == []


KILLED = """
import sys, time
from pathlib import Path
from trainer_cli.config.load import load
from trainer_cli.training.epoch import Pacer
from trainer_cli.training.events import SliceDone
from trainer_cli.training.fit import FitOptions, fit

Pacer.observe = lambda self, steps, seconds: setattr(self, "steps", 7)
options = FitOptions(
    run_directory=Path(sys.argv[2]), target="reference", checkpoint_seconds=0, checkpoint_seconds_within_epoch=0
)
for event in fit(load(sys.argv[1], sys.argv[3:]), options):
    if isinstance(event, SliceDone) and event.epoch == 3 and event.steps > 20:
        print("now", flush=True)
        time.sleep(60)
"""


def start(*command, **options):
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.Popen([sys.executable, *command], env=environment, text=True, **options)


def test_a_run_killed_within_an_epoch_resumes_to_the_same_bits(digits, tmp_path):
    directory, _ = digits
    cut = tmp_path / "cut"
    process = start("-c", KILLED, str(DIGITS), str(cut), "fit.epochs=4", stdout=subprocess.PIPE)
    try:
        assert process.stdout.readline() == "now\n"
    finally:
        process.kill()
        process.communicate()
    state = last(cut)
    assert state.counters.epoch == 2
    assert state.counters.position > 0
    run(cut / "config.yaml", None, resume=cut)
    assert bits(cut) == bits(directory)
    assert without_clock(lines(cut)) == without_clock(lines(directory))


def test_the_command_line_stops_at_a_signal_and_goes_on(tmp_path):
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    run(DIGITS, whole, "fit.epochs=12", "fit.early_stopping=null")
    arguments = ["fit", str(DIGITS), "--set", "fit.epochs=12", "--set", "fit.early_stopping=null"]
    arguments += ["--target", "reference"]
    process = start("-m", "trainer_cli", *arguments, "--run-dir", str(cut), stderr=subprocess.PIPE)
    try:
        deadline = time.monotonic() + 60
        while process.poll() is None and time.monotonic() < deadline:
            if (cut / "metrics.jsonl").is_file() and len((cut / "metrics.jsonl").read_text().splitlines()) >= 3:
                break
            time.sleep(0.005)
        process.send_signal(signal.SIGTERM)
        _, errors = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == 143
    assert "--resume" in errors
    assert 3 <= last(cut).counters.epoch < 12
    process = start("-m", "trainer_cli", "fit", "--resume", str(cut), "--target", "reference", stdout=subprocess.PIPE)
    process.communicate(timeout=60)
    assert process.returncode == 0
    assert bits(cut) == bits(whole)
    assert without_clock(lines(cut)) == without_clock(lines(whole))
