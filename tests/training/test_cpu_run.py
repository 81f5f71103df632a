"""The CPU target in real runs: threads and interruptions change no bit, and the numbers are near the reference's."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path

import pytest

from trainer_cli.config.load import load
from trainer_cli.errors import Interrupted
from trainer_cli.training.checkpoints import read_checkpoint
from trainer_cli.training.evaluate import evaluate
from trainer_cli.training.events import SliceDone
from trainer_cli.training.fit import FitOptions, fit
from trainer_cli.training.predict import predict

DIGITS = Path(__file__).parents[2] / "configs" / "digits.yaml"
EPOCHS = "fit.epochs=3"


def bits(directory):
    state = read_checkpoint(directory / "checkpoints" / "last.safetensors")
    return {name: value.tobytes() for name, value in state.tensors().items()}


def lines(directory):
    found = [json.loads(line) for line in (directory / "metrics.jsonl").read_text().splitlines()]
    return [{key: value for key, value in line.items() if key != "seconds"} for line in found]


@pytest.fixture(scope="module")
def one_thread(tmp_path_factory):
    directory = tmp_path_factory.mktemp("cpu") / "run"
    events = list(fit(load(DIGITS, [EPOCHS]), FitOptions(run_directory=directory, threads=1)))
    return directory, events[-1].summary


def test_an_interrupted_run_on_more_threads_ends_with_the_same_bits(one_thread, tmp_path, monkeypatch):
    monkeypatch.setattr("trainer_cli.training.epoch.Pacer.observe", lambda self, *_: setattr(self, "steps", 9))
    options = FitOptions(run_directory=tmp_path / "cut", threads=3)
    with pytest.raises(Interrupted):  # noqa: PT012
        for event in fit(load(DIGITS, [EPOCHS]), options):
            if isinstance(event, SliceDone) and event.epoch == 2:
                os.kill(os.getpid(), signal.SIGTERM)
    state = read_checkpoint(tmp_path / "cut" / "checkpoints" / "last.safetensors")
    assert 0 < state.counters.position < 1259
    list(fit(load(tmp_path / "cut" / "config.yaml"), FitOptions(resume=tmp_path / "cut", threads=2)))
    assert bits(tmp_path / "cut") == bits(one_thread[0])
    assert lines(tmp_path / "cut") == lines(one_thread[0])


def test_the_run_is_near_the_reference(one_thread, tmp_path):
    list(fit(load(DIGITS, [EPOCHS]), FitOptions(run_directory=tmp_path / "r", target="reference")))
    for ours, theirs in zip(lines(one_thread[0]), lines(tmp_path / "r"), strict=True):
        assert ours["loss"] == pytest.approx(theirs["loss"], rel=1e-3)
        assert ours["val_loss"] == pytest.approx(theirs["val_loss"], rel=1e-2)
        assert ours["val_accuracy"] == pytest.approx(theirs["val_accuracy"], abs=0.012)


def test_evaluation_and_prediction_agree_with_training(one_thread):
    directory, summary = one_thread
    last = directory / "checkpoints" / "last.safetensors"
    found = evaluate(last, threads=2)
    assert found.results["loss"] == summary["final"]["test_loss"]
    assert found.results["accuracy"] == summary["final"]["test_accuracy"]
    ours, theirs = predict(last)["prediction"], predict(last, target="reference")["prediction"]
    assert abs(ours.values - theirs.values).max() < 1e-5
    assert list(ours.class_names()) == list(theirs.class_names())
