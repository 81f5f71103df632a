"""Run directories are read whatever state they are in, and their settings compared."""

from __future__ import annotations

import json

import pytest

from trainer_cli.errors import ConfigError, DataError
from trainer_cli.training.runs import Difference, differences, metric_keys, read_run

LINES = [
    {"phase": 1, "epoch": 1, "steps": 4, "seconds": 0.1, "learning_rate": 0.1, "loss": 1.0, "val_loss": None},
    {"phase": 1, "epoch": 2, "steps": 8, "seconds": 0.1, "learning_rate": 0.1, "loss": 0.5, "val_loss": 0.75},
]


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "config.yaml").write_text("name: toy\nfit: {epochs: 2}\n")
    (tmp_path / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in LINES))
    return tmp_path


def test_a_run_under_way_has_its_last_line_and_no_best(folder):
    run = read_run(folder)
    assert (run.name, run.measures) == ("toy", ["loss", "val_loss"])
    assert run.curve("val_loss") == [None, 0.75]
    assert run.final == {"loss": 0.5, "val_loss": 0.75}
    assert run.best == {}
    assert metric_keys([run]) == ["loss", "val_loss"]


def test_a_finished_run_has_its_summary(folder):
    best = {"monitor": "loss", "value": 0.5, "epoch": 2, "loss": 0.5}
    (folder / "summary.json").write_text(json.dumps({"final": {"loss": 0.5, "test_loss": 0.6}, "best": best}))
    run = read_run(folder)
    assert run.best == best
    assert run.final == {"loss": 0.5, "test_loss": 0.6}


def test_a_torn_last_line_is_left_out_and_any_other_is_damage(folder):
    file = folder / "metrics.jsonl"
    file.write_text(file.read_text() + '{"phase": 1, "ep')
    assert len(read_run(folder).history) == 2
    file.write_text('{"phase": 1, "ep\n' + json.dumps(LINES[0]) + "\n")
    with pytest.raises(DataError, match=r"metrics\.jsonl, line 1"):
        read_run(folder)
    file.write_text("[]\n" + json.dumps(LINES[0]) + "\n")
    with pytest.raises(DataError, match="is no epoch"):
        read_run(folder)


def test_what_is_no_run_is_refused(tmp_path, folder):
    with pytest.raises(ConfigError, match="is no run directory"):
        read_run(tmp_path / "elsewhere")
    (folder / "summary.json").write_text("{")
    with pytest.raises(DataError, match="is damaged"):
        read_run(folder)


def test_differences_are_told_where_they_are():
    first = {
        "seed": 1,
        "optimizer": {"type": "adam", "learning_rate": 0.1},
        "architecture": [{"type": "dense", "units": 1}],
    }
    second = {**first, "optimizer": {"type": "adam", "learning_rate": 0.2}, "freeze": ["a"]}
    assert differences([first, first]) == []
    assert differences([first, second]) == [
        Difference("optimizer.learning_rate", [0.1, 0.2]),
        Difference("freeze", [None, ["a"]]),
    ]


def test_another_part_is_one_difference():
    first = {"optimizer": {"type": "adam", "beta_1": 0.9}, "architecture": [{"type": "dense", "units": 1}]}
    second = {"optimizer": {"type": "sgd", "momentum": 0.9}, "architecture": [{"type": "dense", "units": 2}]}
    third = {"optimizer": {"type": "sgd", "momentum": 0.9}, "architecture": [{"type": "dense", "units": 2}] * 2}
    assert [each.path for each in differences([first, second])] == ["optimizer", "architecture[0].units"]
    assert [each.path for each in differences([second, third])] == ["architecture"]
