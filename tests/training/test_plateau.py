"""The learning rate is reduced where Keras 3 reduces it, and a resumed run goes on with it to the same bits."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from tests.golden_layers import stored
from trainer_cli.config.load import load
from trainer_cli.config.plateau import ReduceLearningRateOnPlateau
from trainer_cli.errors import ConfigError
from trainer_cli.training import plateau
from trainer_cli.training.checkpoints import read_checkpoint
from trainer_cli.training.fit import FitOptions, fit
from trainer_cli.training.state import RunState
from trainer_cli.training.validate import check

GOLDEN = stored("keras_plateau.json")
CONFIG = """
data: {type: npz, path: rows.npz, split: {validation: 0.25}}
architecture: [{type: dense, units: 2}]
optimizer: {type: sgd, learning_rate: 0.5, momentum: 0.9}
loss: mse
fit:
  epochs: 12
  batch_size: 8
  reduceLROnPlateau: {factor: 0.5, patience: 1, min_delta: 1e-3, cooldown: 1, min_lr: 1e-3}
"""


@pytest.mark.parametrize("case", range(len(GOLDEN["cases"])))
def test_rates_are_those_of_keras(case: int) -> None:
    given = GOLDEN["cases"][case]
    settings = ReduceLearningRateOnPlateau.model_validate(given["settings"])
    state, program = RunState(), SimpleNamespace(hyperparameters={"learning_rate": GOLDEN["rate"]})
    plateau.begin(state, settings, program)  # type: ignore[arg-type]  # all that it asks of a program
    for value, expected in zip(given["values"], given["rates"], strict=True):
        before = state.plateau.rate
        section = SimpleNamespace(reduce_learning_rate_on_plateau=settings)
        notes = plateau.observe(state.plateau, section, {"val_loss": value}, {})
        # Keras keeps the rate in float32.
        assert state.plateau.rate == pytest.approx(expected, rel=2e-6)
        assert len(notes) == (state.plateau.rate != before)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    random = np.random.default_rng(0)
    x = random.normal(size=(40, 3))
    np.savez(tmp_path / "rows.npz", x=x, y=random.normal(size=(40, 2)))
    (tmp_path / "config.yaml").write_text(CONFIG)
    return tmp_path


def run(folder: Path, *overrides: str, **options: Any) -> list[Any]:
    return list(fit(load(folder / "config.yaml", overrides), FitOptions(**options)))


def lines(directory: Path) -> list[dict[str, Any]]:
    found = [json.loads(line) for line in (directory / "metrics.jsonl").read_text().splitlines()]
    return [{key: value for key, value in line.items() if key != "seconds"} for line in found]


@pytest.mark.parametrize("target", ["cpu", "reference"])
def test_a_run_goes_on_with_the_reduced_rate_to_the_same_bits(folder: Path, target: str) -> None:
    events = run(folder, target=target, run_directory=folder / "whole")
    rates = [line["learning_rate"] for line in lines(folder / "whole")]
    assert rates[0] == 0.5
    assert rates == sorted(rates, reverse=True)
    assert 0.125 in rates
    notes = [note for event in events for note in getattr(event, "notes", ())]
    assert "no better val_loss for 1 epoch: learning rate reduced to 0.25" in notes
    # Within an epoch behind a reduction, and at the end of one.
    for steps in (rates.index(0.25) * 4 + 2, rates.index(0.125) * 4):
        cut = folder / f"cut-{steps}"
        run(folder, target=target, run_directory=cut, limit_steps=steps)
        run(folder, target=target, resume=cut)
        assert lines(cut) == lines(folder / "whole")
        states = [read_checkpoint(path / "checkpoints" / "last.safetensors") for path in (folder / "whole", cut)]
        assert states[0].plateau == states[1].plateau
        assert all(
            states[0].tensors()[name].tobytes() == value.tobytes() for name, value in states[1].tensors().items()
        )


def test_a_rate_that_was_edited_begins_anew_and_so_does_a_phase(folder: Path) -> None:
    run(folder, run_directory=folder / "run", limit_steps=32)
    assert read_checkpoint(folder / "run" / "checkpoints" / "last.safetensors").plateau.rate != 0.5
    run(folder, "optimizer.learning_rate=0.75", resume=folder / "run")
    assert lines(folder / "run")[8]["learning_rate"] == 0.75
    run(folder, "phases=[{}, {fit: {epochs: 2}}]", run_directory=folder / "phases")
    found = lines(folder / "phases")
    assert found[11]["learning_rate"] < 0.5
    assert found[12]["phase"] == 2
    assert found[12]["learning_rate"] == 0.5


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("optimizer.learning_rate={type: cosine_decay, initial_learning_rate: 0.1, decay_steps: 9}",
         "the optimizer's `learning_rate` is a schedule, which a plateau cannot reduce as well"),
        ("fit.reduce_lr_on_plateau.monitor=val_los", "nothing named `val_los` is measured"),
        ("fit.reduce_lr_on_plateau.factor=1.0",
         "fit.reduceLROnPlateau.factor: expected a number less than 1, got the number 1.0"),
        ("fit.reduce_learning_rate_on_plateau.wait=1", "fit.reduceLROnPlateau: unknown key `wait`"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused(folder: Path, override: str, message: str) -> None:
    try:
        problems = check(load(folder / "config.yaml", [override])).problems
    except ConfigError as error:
        problems = list(error.problems)
    assert [problem.message for problem in problems] == [message]
