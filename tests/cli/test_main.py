"""Failures become words on stderr and an exit code; options may stand anywhere."""

from __future__ import annotations

import gc
import signal
import subprocess
import sys
import warnings

import pytest

import trainer_cli
from trainer_cli.cli import app, main
from trainer_cli.errors import ConfigError, DataError, DivergenceError, Interrupted, Place, Problem, ResourceError


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ("fit a.yaml --json", "fit a.yaml --json"),
        ("--json fit a.yaml", "fit --json a.yaml"),
        ("--config fit fit", "fit --config fit"),
        ("--set seed=1 --threads=2 evaluate a.yaml", "evaluate --set seed=1 --threads=2 a.yaml"),
        ("--data validate a.yaml", "validate --data a.yaml"),
        ("--data new.csv predict a.yaml", "predict --data new.csv a.yaml"),
        ("--version", "--version"),
        ("trian a.yaml fit", "trian a.yaml fit"),
        ("-- fit", "-- fit"),
    ],
)
def test_the_command_is_found_behind_options(arguments, expected):
    assert app.command_first(arguments.split()) == expected.split()


@pytest.fixture(autouse=True)
def signals():
    """`main` changes how the process takes broken pipes, garbage and warnings; put that back."""
    before = signal.getsignal(signal.SIGPIPE)
    with warnings.catch_warnings():
        yield
    gc.enable()
    signal.signal(signal.SIGPIPE, before)


def failing(error):
    def run(arguments):
        raise error

    return run


@pytest.mark.parametrize(
    ("error", "code", "words"),
    [
        (ConfigError([Problem("units is wrong", place=Place("a.yaml", 3, 5, "  units: -1"))]), 2, "a.yaml:3:5"),
        (DataError("a.csv, line 3: `x` is no number", hint="mend it"), 3, "error: a.csv, line 3: `x` is no number"),
        (DivergenceError("the loss is NaN"), 4, "error: the loss is NaN"),
        (ResourceError("disk full", hint="free some"), 6, "  hint: free some"),
        (Interrupted(15, "stopped"), 143, "error: stopped"),
        (KeyboardInterrupt(), 130, "interrupted"),
        (MemoryError("10 GB"), 6, "not enough memory: 10 GB"),
        (RuntimeError("oops"), 1, "This is a bug in trainer"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, BaseException) else "",
)
def test_a_failure_has_words_and_a_code(monkeypatch, capsys, error, code, words):
    monkeypatch.setattr(app, "run", failing(error))
    with pytest.raises(SystemExit) as leaving:
        main.main()
    assert leaving.value.code == code
    stderr = capsys.readouterr().err
    assert words in stderr
    assert ("Traceback" in stderr) == (code == 1)


def test_a_reader_that_leaves_is_no_failure():
    command = [sys.executable, "-m", "trainer_cli", "schema"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait(60) == -signal.SIGPIPE


def test_an_unknown_command_and_option_say_what_is_known(project):
    done = project.run("trian")
    assert (done.returncode, done.stdout) == (2, "")
    assert "No such command" in done.stderr
    done = project.run("fit", "config.yaml", "--treads", "2")
    assert done.returncode == 2
    assert "--threads" in done.stderr


def test_a_config_is_needed_and_only_one(project):
    done = project.run("fit")
    assert done.returncode == 2
    assert "give the config" in done.stderr
    done = project.run("validate", "a.yaml", "--config", "b.yaml")
    assert done.returncode == 2
    assert "two files were given" in done.stderr


def test_the_version(project):
    assert project.run("--version").stdout == f"{trainer_cli.__version__}\n"
