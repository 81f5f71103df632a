"""`evaluate`, `predict`, `report`, `export` and `compile`: which model, which rows, how many threads, which file."""

from __future__ import annotations

import json

import pytest

COMMANDS = ("evaluate", "predict")


def said(project, *arguments: str) -> str:
    done = project.run(*arguments)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("command", COMMANDS)
def test_a_config_and_its_weights_are_the_run_that_they_are_from(trained, command):
    expected = said(trained, command, "run", "--target", "reference")
    named = ("--config", "config.yaml", "--weights", "run/checkpoints/best.safetensors")
    assert said(trained, command, *named, "--target", "reference") == expected
    assert said(trained, command, "config.yaml", "--weights", "run", "--target", "reference") == expected
    done = trained.run(command, "run", "--weights", "other.safetensors")
    assert done.returncode == 2
    assert "weights are in `run` already" in done.stderr


@pytest.mark.parametrize("command", COMMANDS)
def test_a_part_of_the_data_is_chosen(trained, command):
    for part, rows in (("train", 54), ("validation", 18), ("test", 18)):
        done = trained.run(command, "run", "--part", part, "--target", "reference")
        assert done.returncode == 0, done.stderr
        assert f"run: {rows} " in done.stderr
        assert command == "evaluate" or len(done.stdout.splitlines()) == rows + 1


@pytest.mark.parametrize("command", COMMANDS)
def test_threads_change_no_bit(trained, command):
    one, two = (said(trained, command, "run", "--threads", threads, "--json") for threads in ("1", "2"))
    assert one == two
    done = trained.run(command, "run", "--threads", "0")
    assert done.returncode == 2
    assert "--threads" in done.stderr


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("flag", ["--quiet", "-q"])
def test_a_quiet_command_gives_its_results_alone(trained, command, flag):
    assert "18" in trained.run(command, "run", "--target", "reference").stderr
    done = trained.run(command, "run", "--target", "reference", flag)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout


def test_evaluate_measures_what_an_override_asks_for(trained):
    changed = ("--set", "metrics=[accuracy, top_k_categorical_accuracy]")
    done = trained.run("evaluate", "run", *changed, "--json", "--target", "reference")
    assert done.returncode == 0, done.stderr
    assert list(json.loads(done.stdout)) == ["part", "rows", "loss", "accuracy", "top_k_categorical_accuracy"]
    done = trained.run("evaluate", "run/checkpoints/best.safetensors", "--set", "metrics=[]")
    assert done.returncode == 2
    assert "a checkpoint's config is as it is" in done.stderr


def test_predict_refuses_weights_of_another_network(trained):
    done = trained.run("predict", "run", "--set", "architecture[0].units=9", "--target", "reference")
    assert done.returncode == 2
    assert "dense_1/kernel" in done.stderr
    other = said(trained, "predict", "run", "--set", "data.split.test=0.3", "--target", "reference", "--json")
    assert len(other.splitlines()) == 27


def test_short_flags_are_the_long_ones(trained):
    said(trained, "predict", "run", "--target", "reference", "-o", "short.csv")
    said(trained, "predict", "run", "--target", "reference", "--output", "long.csv")
    assert (trained.folder / "short.csv").read_bytes() == (trained.folder / "long.csv").read_bytes()
    done = trained.run("report", "run", "--no-data", "-o", "page.html", "-q")
    assert (done.returncode, done.stderr) == (0, "")
    assert (trained.folder / "page.html").read_text().startswith("<!DOCTYPE html>")
    done = trained.run("export", "run", "--to", "short.npz", "-q")
    assert (done.returncode, done.stderr) == (0, "")
    done = trained.run("init", "flowers.csv", "--target", "colour", "-o", "short.yaml", "--no-schema", "-q")
    assert (done.returncode, done.stderr) == (0, "")
    assert (trained.folder / "short.yaml").is_file()


def test_compile_takes_the_config_as_an_option_with_overrides_and_threads(project):
    plain = json.loads(said(project, "compile", "config.yaml", "--json"))
    found = json.loads(
        said(project, "compile", "--config", "config.yaml", "--set", "architecture[0].units=5", "--json")
    )
    assert (plain["layers"][0]["output_shape"], found["layers"][0]["output_shape"]) == ([8], [5])
    assert said(project, "compile", "config.yaml", "--threads", "1", "--source") == said(
        project, "compile", "config.yaml", "--threads", "2", "--source"
    ), "the source is for any number of threads"
    assert project.run("compile", "config.yaml", "--threads", "0").returncode == 2
