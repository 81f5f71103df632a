"""Runs whose optimizer keeps averages, accumulates gradients or follows a schedule: resumed, evaluated, in phases."""

from __future__ import annotations

import json
import math
import os
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from trainer_cli.config.load import load
from trainer_cli.errors import Interrupted
from trainer_cli.training.checkpoints import read_checkpoint
from trainer_cli.training.evaluate import evaluate
from trainer_cli.training.events import Event, PhaseStarted, SliceDone
from trainer_cli.training.fit import FitOptions, fit

CONFIG = """
name: run
seed: 3
data: {type: csv, path: rows.csv, target: y, split: {validation: 0.25, test: 0.1}}
architecture: [{type: dense, units: 4, activation: tanh}, {type: dense, units: 1}]
optimizer:
  type: nadam
  learning_rate: {type: cosine_decay, initial_learning_rate: 0.05, decay_steps: 40, alpha: 0.1}
  weight_decay: 0.01
  exclude_from_weight_decay: [bias]
  global_clipnorm: 1.0
  use_ema: true
  ema_momentum: 0.9
  gradient_accumulation_steps: 4
loss: mse
fit: {epochs: 4, batch_size: 8}
"""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    random = np.random.default_rng(0)
    x = random.normal(size=(120, 3))
    y = x @ [1.0, -2.0, 0.5] + 0.25
    lines = [",".join(f"{value:.6f}" for value in (*row, target)) for row, target in zip(x, y, strict=True)]
    (tmp_path / "rows.csv").write_text("\n".join(["a,b,c,y", *lines]))
    (tmp_path / "run.yaml").write_text(CONFIG)
    return tmp_path / "run.yaml"


def run(config: Path, directory: Path, *overrides: str, **options: Any) -> list[Event]:
    if "resume" not in options:
        options["run_directory"] = directory
    return list(fit(load(config, list(overrides)), FitOptions(target=options.pop("target", "reference"), **options)))


def lines(directory: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (directory / "metrics.jsonl").read_text().splitlines()]


def state(directory: Path, name: str = "last") -> Any:
    return read_checkpoint(directory / "checkpoints" / f"{name}.safetensors")


def bits(directory: Path) -> dict[str, bytes]:
    return {name: value.tobytes() for name, value in state(directory).tensors().items()}


def interrupted(config: Path, directory: Path, target: str, steps: int) -> None:
    """Stop a run after some steps, in the midst of an epoch and between two updates."""

    def watch() -> None:
        for event in fit(load(config), FitOptions(run_directory=directory, target=target)):
            if isinstance(event, SliceDone) and event.steps >= steps:
                os.kill(os.getpid(), signal.SIGTERM)

    with pytest.raises(Interrupted):
        watch()
    found = state(directory).counters
    assert 0 < found.epoch_steps


@pytest.mark.parametrize("target", ["reference", "cpu"])
def test_a_resumed_run_has_the_same_bits(config: Path, tmp_path: Path, target: str) -> None:
    run(config, tmp_path / "whole", target=target)
    interrupted(config, tmp_path / "parts", target, 4)
    run(config, tmp_path / "parts", resume=tmp_path / "parts", target=target)
    assert bits(tmp_path / "parts") == bits(tmp_path / "whole")
    without_clock = [
        [{key: value for key, value in line.items() if key != "seconds"} for line in lines(tmp_path / name)]
        for name in ("whole", "parts")
    ]
    assert without_clock[0] == without_clock[1]


def cosine(step: int) -> float:
    return 0.05 * (0.9 * 0.5 * (1 + math.cos(math.pi * min(step, 40) / 40)) + 0.1)


def test_the_rate_of_an_epochs_last_step_is_reported(config: Path, tmp_path: Path) -> None:
    run(config, tmp_path / "run")
    found = lines(tmp_path / "run")
    assert [line["learning_rate"] for line in found] == pytest.approx([cosine(line["steps"] - 1) for line in found])


def test_averages_are_evaluated_and_become_the_weights(config: Path, tmp_path: Path) -> None:
    directory = tmp_path / "run"
    run(config, directory)
    last = state(directory)
    averages = {name for name in last.slots if name.endswith("/average")}
    assert averages == {f"{name}/average" for name in last.weights}
    for name, value in last.weights.items():
        np.testing.assert_array_equal(value, last.slots[f"{name}/average"])
    found = evaluate(directory / "checkpoints" / "last.safetensors", part="validation", target="reference")
    assert found.results["loss"] == lines(directory)[-1]["val_loss"]
    best = min(lines(directory), key=lambda line: line["val_loss"])
    found = evaluate(directory / "checkpoints" / "best.safetensors", part="validation", target="reference")
    assert found.results["loss"] == best["val_loss"]


def test_what_is_trained_is_not_what_is_averaged(config: Path, tmp_path: Path) -> None:
    run(config, tmp_path / "averaged")
    run(config, tmp_path / "plain", "optimizer.use_ema=false")
    one, other = lines(tmp_path / "averaged"), lines(tmp_path / "plain")
    assert [line["loss"] for line in one] == [line["loss"] for line in other]
    assert all(a["val_loss"] != b["val_loss"] for a, b in zip(one, other, strict=True))


def test_the_best_epochs_averages_are_restored(config: Path, tmp_path: Path) -> None:
    stopping = "{patience: 1, restore_best: true, min_delta: 1000, monitor: val_loss}"
    directory = tmp_path / "run"
    run(config, directory, f"fit.early_stopping={stopping}")
    assert len(lines(directory)) == 2
    last = state(directory)
    for name, value in last.weights.items():
        np.testing.assert_array_equal(value, last.slots[f"{name}/average"])
    found = evaluate(directory / "checkpoints" / "last.safetensors", part="validation", target="reference")
    assert found.results["loss"] == lines(directory)[0]["val_loss"]


INVERSE = "{type: inverse_time_decay, initial_learning_rate: 0.01, decay_steps: 1, decay_rate: 1}"
SECOND = f"{{type: nadam, learning_rate: {INVERSE}}}"


def notes(events: list[Event]) -> list[str]:
    return [note for event in events if isinstance(event, PhaseStarted) for note in event.notes]


def test_a_phases_own_schedule_begins_with_the_phase_and_a_shared_one_goes_on(config: Path, tmp_path: Path) -> None:
    plain = "optimizer={type: nadam, learning_rate: 0.01}"
    phases = f"phases=[{{fit: {{epochs: 1}}}}, {{optimizer: {SECOND}, fit: {{epochs: 2}}}}, {{optimizer: {SECOND}}}]"
    events = run(config, tmp_path / "run", plain, phases, "fit.epochs=1")
    found = lines(tmp_path / "run")
    first = found[0]["steps"]
    expected = [0.01, *(0.01 / (line["steps"] - first) for line in found[1:])]
    assert [line["learning_rate"] for line in found] == pytest.approx(expected)
    assert [note for note in notes(events) if "schedule" in note] == [
        "the schedule of the learning rate is another one and begins here"
    ]
    assert all("kept" in note for note in notes(events) if "schedule" not in note)


def test_a_schedule_edited_within_a_phase_goes_on_at_its_step(config: Path, tmp_path: Path) -> None:
    run(config, tmp_path / "run", "fit.epochs=2")
    steps = lines(tmp_path / "run")[-1]["steps"]
    run(config, tmp_path / "run", "optimizer.learning_rate.initial_learning_rate=0.5", resume=tmp_path / "run")
    found = lines(tmp_path / "run")
    assert state(tmp_path / "run").counters.schedule_start == 0
    assert found[2]["steps"] > steps
    assert found[2]["learning_rate"] == pytest.approx(10 * cosine(found[2]["steps"] - 1))


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ("use_ema: true", "`use_ema` of adam changed"),
        ("gradient_accumulation_steps: 2", "`gradient_accumulation_steps` of adam changed"),
        ("clipnorm: 1.0", "state of adam kept"),
    ],
)
def test_what_starts_the_state_anew_is_told(config: Path, tmp_path: Path, change: str, told: str) -> None:
    phases = f"phases=[{{}}, {{optimizer: {{type: adam, {change}}}}}]"
    assert told in " ".join(notes(run(config, tmp_path / "run", "optimizer=adam", "fit.epochs=1", phases)))
