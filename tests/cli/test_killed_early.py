"""Runs that are killed before their first checkpoint is written go on with what they were to begin with."""

from __future__ import annotations

import json
import shutil
import signal

import pytest
from safetensors.numpy import load_file

KILLED = """
import os, signal, sys
from trainer_cli.training import {module} as module

def killed(*arguments, **named):
    os.kill(os.getpid(), signal.SIGKILL)

module.{function} = killed
sys.argv = ["trainer", *sys.argv[1:]]
from trainer_cli.cli.main import main
main()
"""
MOMENTS = [
    ("run_directory", "write_atomically"),  # the folder is there, and locked
    ("beginning", "Saving"),  # the manifest and the config are written
    ("saving", "write_checkpoint"),
]
QUIET = ("--target", "reference", "--quiet")


def killed(project, moment, *arguments: str) -> None:
    done = project.run_script(KILLED.format(module=moment[0], function=moment[1]), "fit", *arguments, *QUIET)
    assert done.returncode == -signal.SIGKILL, done.stderr


def weights(project, run: str) -> dict[str, bytes]:
    tensors = load_file(project.folder / run / "checkpoints" / "last.safetensors")
    return {name: value.tobytes() for name, value in tensors.items()}


@pytest.fixture(scope="module")
def begun(trained):
    """A project with a run, weights to begin with, and what comes of them."""
    done = trained.fit("--weights", "run", "--run-dir", "quiet", "--quiet")
    assert done.returncode == 0, done.stderr
    return trained


@pytest.mark.parametrize("moment", MOMENTS, ids=" ".join)
def test_weights_are_taken_again(begun, moment):
    run = f"killed-at-{moment[1]}"
    start = ("config.yaml", "--weights", "run", "--run-dir", run)
    killed(begun, moment, *start)
    # Before there is a manifest, there is no run: the folder is as good as empty.
    way = start if moment == MOMENTS[0] else ("--resume", run)
    done = begun.run("fit", *way, "--target", "reference")
    assert done.returncode == 0, done.stderr
    assert "weights from " in done.stderr
    assert "4 of 4 matched" in done.stderr
    assert weights(begun, run) == weights(begun, "quiet")
    manifest = json.loads((begun.folder / run / "manifest.json").read_text())
    assert manifest["began_with"]["weights"] == str(begun.folder / "run" / "checkpoints" / "best.safetensors")


def test_a_run_without_weights_begins_anew(project):
    assert project.fit("--run-dir", "quiet", "--quiet").returncode == 0
    killed(project, MOMENTS[2], "config.yaml", "--run-dir", "run")
    done = project.run("fit", "--resume", "run", "--target", "reference")
    assert done.returncode == 0, done.stderr
    assert "the run had written no checkpoint yet: it begins anew" in done.stderr
    assert weights(project, "run") == weights(project, "quiet")


@pytest.mark.parametrize(("change", "words"), [("changed", "no longer what it was"), ("gone", "gone")])
def test_weights_that_are_not_what_they_were_are_refused(project, change, words):
    assert project.fit("--run-dir", "first", "--quiet").returncode == 0
    file = project.folder / "first.safetensors"
    shutil.copy(project.folder / "first" / "checkpoints" / "best.safetensors", file)
    killed(project, MOMENTS[2], "config.yaml", "--weights", file.name, "--run-dir", "run")
    if change == "gone":
        file.unlink()
    else:
        shutil.copy(project.folder / "first" / "checkpoints" / "previous.safetensors", file)
    done = project.run("fit", "--resume", "run", *QUIET)
    assert done.returncode == 3
    assert f"the run was to begin with {file}, which is {words}" in done.stderr
    assert "start a new run" in done.stderr


@pytest.mark.parametrize("moment", MOMENTS[1:], ids=" ".join)
def test_a_run_that_was_to_go_on_elsewhere_does(trained, moment):
    """`--resume RUN --run-dir OTHER` leaves RUN alone; OTHER begins with its state, and knows so."""
    run, before = f"elsewhere-{moment[1]}", weights(trained, "run")
    way = ("config.yaml", "--resume", "run", "--extend-epochs", "2", "--run-dir")
    if not (trained.folder / "elsewhere").exists():
        done = trained.run("fit", *way, "elsewhere", *QUIET)
        assert done.returncode == 0, done.stderr
    killed(trained, moment, *way, run)
    done = trained.run("fit", "--resume", run, "--target", "reference")
    assert done.returncode == 0, done.stderr
    assert "no checkpoint of its own yet: it goes on from " in done.stderr
    assert weights(trained, run) == weights(trained, "elsewhere") != before
    assert len((trained.folder / run / "metrics.jsonl").read_text().splitlines()) == 5
    assert (trained.folder / run / "checkpoints" / "best.safetensors").exists()
    assert weights(trained, "run") == before
