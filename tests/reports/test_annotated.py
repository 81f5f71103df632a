"""A config written with the origin of every value loads to the same config, and tells the truth about each."""

from __future__ import annotations

from pathlib import Path

import pytest

from trainer_cli.config.load import load
from trainer_cli.config.origins import origins
from trainer_cli.config.references import show_path
from trainer_cli.reports.annotated import annotated, given, record

CONFIGS = sorted((Path(__file__).parents[2] / "configs").glob("*.yaml"))
CONFIG = """\
name: ${env:TRAINER_TEST_WHO:-someone}-${seed}
seed: 7
architecture:
  layers:
    - {type: dense, units: 4, activation: relu, kernelRegularizer: {type: l2, l2: 0.1}}
    - {type: dropout, rate: "${fit.early_stopping.min_delta}"}
    - flatten
optimizer: adam
loss: mse
metrics: [acc, {type: mae, name: "0x10"}]
fit: {epochs: 3, batchSize: 16, early_stopping: {monitor: loss, min_delta: 0.25}}
phases:
  - {name: "long %s", fit: "${fit}"}
"""


def values_of(path, overrides=()):
    loaded = load(path, overrides)
    return loaded, list(origins(loaded, overrides))


@pytest.fixture
def config(tmp_path):
    path = tmp_path / "a.yaml"
    # A text that YAML folds to several lines.
    path.write_text(CONFIG % " ".join(["word"] * 60))
    return path


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
@pytest.mark.parametrize("choose", [lambda values: values, lambda values: list(given(values))], ids=["all", "given"])
def test_the_shipped_configs_load_to_themselves(path, choose, tmp_path):
    loaded, values = values_of(path, ("seed=5",))
    again = tmp_path / "again.yaml"
    again.write_text("\n".join(annotated(choose(values))) + "\n")
    assert load(again).dump() == loaded.dump()


def test_texts_that_need_quotes_or_several_lines_survive(config, tmp_path):
    loaded, values = values_of(config)
    lines = annotated(values)
    again = tmp_path / "again.yaml"
    again.write_text("\n".join(lines) + "\n")
    assert load(again).dump() == loaded.dump()
    assert any(line.strip("- ").startswith("# ") for line in lines), "the long name has its comment above"


def test_every_kind_of_origin(config, monkeypatch):
    monkeypatch.delenv("TRAINER_TEST_WHO", raising=False)
    overrides = ("fit.epochs=9", "optimizer.learning_rate=0.5")
    loaded, values = values_of(config, overrides)
    found = {show_path(value.path): str(value.origin) for value in values}
    file = str(config)
    assert found["seed"] == f"{file}:2"
    assert found["name"] == f"${{env:TRAINER_TEST_WHO:-someone}}-${{seed}} ({file}:1)"
    assert found["architecture[0].units"] == f"{file}:5"
    assert found["architecture[0].activation.type"] == f"{file}:5"
    assert found["architecture[0].activation.max_value"] == "default"
    assert found["architecture[0].kernel_regularizer.l2"] == f"{file}:5"
    assert found["architecture[0].bias_initializer.type"] == "default", "not the `type` of the layer"
    assert found["architecture[1].rate"] == f"${{fit.early_stopping.min_delta}} ({file}:6)"
    assert found["architecture[2].type"] == f"{file}:7"
    assert found["optimizer.type"] == f"{file}:8"
    assert found["optimizer.learning_rate"] == "--set optimizer.learning_rate=0.5"
    assert found["optimizer.beta_1"] == "default"
    assert found["metrics[0].type"] == f"{file}:10"
    assert found["metrics[0].name"] == "default"
    assert found["fit.epochs"] == "--set fit.epochs=9"
    assert found["fit.batch_size"] == f"{file}:11"
    assert found["phases[0].fit.epochs"] == "${fit} (--set fit.epochs=9)"
    assert found["phases[0].fit.batch_size"] == f"${{fit}} ({file}:11)"
    assert loaded.dump()["phases"][0]["fit"]["epochs"] == 9
    assert record(values)["seed"] == {"from": "file", "file": file, "line": 2, "column": 7, "reference": None}
    assert record(values)["fit.epochs"]["from"] == "override"
    assert record(values)["fit.epochs"]["line"] is None
    assert record(values)["optimizer.beta_1"] == dict.fromkeys(("file", "line", "column", "reference")) | {
        "from": "default"
    }


def test_without_defaults_only_what_was_given_is_left(config):
    _, values = values_of(config)
    text = "\n".join(annotated(given(values)))
    assert "# default" not in text
    assert "kernel_initializer" not in text
    assert "optimizer: {type: adam}" in text
