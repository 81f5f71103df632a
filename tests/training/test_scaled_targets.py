"""A model of scaled targets: its loss is of that scale, its metrics and predictions are in the data's units."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

from trainer_cli.config.load import load
from trainer_cli.training.evaluate import evaluate
from trainer_cli.training.fit import FitOptions, fit
from trainer_cli.training.held_out import Residuals, held_out
from trainer_cli.training.predict import predict

CONFIG = """\
data:
  type: csv
  path: t.csv
  target: [price, area]
  scaling: standardize
  target_scaling: {mode}
  split: {{validation: 0.2, test: 0.2}}
architecture: [{{type: dense, units: 8, activation: tanh}}, {{type: dense, units: 2}}]
optimizer: {{type: adam, learning_rate: 0.05}}
loss: mse
metrics: [mae, mse]
fit: {{epochs: 30, batch_size: 16}}
"""


@pytest.fixture(scope="module", params=[("standardize", "reference"), ("log1p", "reference"), ("log", "cpu")])
def trained(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    mode, target = request.param
    folder = tmp_path_factory.mktemp("scaled")
    random = np.random.default_rng(5)
    x = random.normal(size=(120, 2))
    rows = np.column_stack([x, 200_000 * np.exp(x[:, 0]), 3 + np.tanh(x[:, 1])])
    with (folder / "t.csv").open("w") as file:
        csv.writer(file).writerows([["a", "b", "price", "area"], *rows.tolist()])
    (folder / "c.yaml").write_text(CONFIG.format(mode=mode))
    directory = folder / "run"
    list(fit(load(folder / "c.yaml"), FitOptions(run_directory=directory, target=target)))
    return directory, target


def test_metrics_are_those_of_the_predictions_in_the_units_of_the_data(trained: tuple[Path, str]):
    directory, target = trained
    measured = evaluate(directory, part="test", target=target).results
    answers = held_out(directory, part="test", target=target).answers
    assert len(answers) == 2
    assert all(isinstance(each, Residuals) for each in answers)
    errors = np.array([np.subtract(each.true, each.predicted) for each in answers if isinstance(each, Residuals)])
    assert measured["mean_absolute_error"] == pytest.approx(np.abs(errors).mean(), rel=1e-4)
    assert measured["mean_squared_error"] == pytest.approx(np.square(errors).mean(), rel=1e-4)
    assert measured["loss"] is not None
    assert measured["loss"] < 1, "the loss is of the scale that is trained on"
    assert np.abs(errors[0]).mean() < 100_000, "most of the price's deviation of 430,000 is explained"


def test_predictions_are_in_the_units_of_the_data(trained: tuple[Path, str]):
    directory, target = trained
    found = predict(directory, part="train", target=target)["prediction"].values
    assert found.shape == (72, 2)
    assert 50_000 < np.median(found[:, 0]) < 800_000
    assert 2 < np.median(found[:, 1]) < 4
