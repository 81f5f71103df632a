"""`trainer config`, as a user types it."""

from __future__ import annotations

import json

import yaml


def test_config_shows_every_value_with_its_origin(project):
    done = project.run("config", "config.yaml", "--set", "fit.epochs=7")
    assert done.returncode == 0, done.stderr
    lines = [" ".join(line.split()) for line in done.stdout.splitlines()]
    assert "epochs: 7 # --set fit.epochs=7" in lines
    assert "batch_size: 16 # config.yaml:15" in lines
    assert "shuffle: true # default" in lines
    (project.folder / "again.yaml").write_text(done.stdout)
    again = project.run("config", "again.yaml", "--json")
    first = project.run("config", "config.yaml", "--set", "fit.epochs=7", "--json")
    assert json.loads(again.stdout)["config"] == json.loads(first.stdout)["config"]


def test_config_can_leave_the_defaults_out_and_name_variables(project, config_text):
    project.configure(config_text.replace("seed: 3", "seed: ${env:TRAINER_TEST_SEED}"))
    done = project.run("config", "--config", "config.yaml", "--given", environment={"TRAINER_TEST_SEED": "12"})
    assert done.returncode == 0, done.stderr
    assert "default" not in done.stdout
    assert yaml.safe_load(done.stdout)["seed"] == 12
    assert "# ${env:TRAINER_TEST_SEED} (config.yaml:2)" in done.stdout
    origin = json.loads(project.run("config", "config.yaml", "--json", environment={"TRAINER_TEST_SEED": "12"}).stdout)[
        "origins"
    ]["seed"]
    assert origin["from"] == "reference"
    assert (origin["line"], origin["column"]) == (2, 7)


def test_config_refuses_what_validate_refuses(project):
    done = project.run("config", "config.yaml", "--set", "fit.epoch=7")
    assert (done.returncode, done.stdout) == (2, "")
    assert "did you mean `epochs`" in done.stderr
