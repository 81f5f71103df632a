"""The events of a run become a live table on a terminal, one line per epoch elsewhere, and JSON on request."""

from __future__ import annotations

import io
import json
import math
import re
from pathlib import Path

import pytest

from trainer_cli.errors import Place, Problem
from trainer_cli.reports.progress import choose, is_terminal
from trainer_cli.training.checkpoints import WeightReport
from trainer_cli.training.events import EpochDone, Finished, PhaseStarted, Resumed, SliceDone, Started

SUMMARY = {
    "stop_reason": "completed",
    "final": {"loss": 0.5, "test_loss": 0.25, "test_accuracy": 0.875},
    "best": {"monitor": "val_loss", "value": 0.5, "phase": 1, "epoch": 2, "loss": 0.5, "val_loss": 0.5},
    "seconds": {"compile": 0.91, "train": 65.0, "total": 67.0},
}
CONTROL = re.compile(r"\x1b\[[0-9;?]*[a-zA-Z]")


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


def run_of(epochs: int, **started):
    yield Started(
        name="digits",
        run_directory=Path("runs/digits/1"),
        seed=7,
        target="cpu",
        threads=2,
        rows={"train": 1258, "validation": 270},
        parameters=4810,
        trainable_parameters=4810,
        phases=1,
        epochs=epochs,
        **started,
    )
    yield PhaseStarted(1, 1, None, 1, epochs, 40, 32, 0.91)
    for epoch in range(1, epochs + 1):
        for steps in (20, 40):
            yield SliceDone(1, epoch, epochs, steps, 40, steps * 32, 0.1, {"loss": 0.75})
        report = {"phase": 1, "epoch": epoch, "steps": 40 * epoch, "seconds": 0.25, "learning_rate": 0.002}
        report |= {"loss": 1 / epoch, "accuracy": 0.97126, "val_loss": math.nan}
        yield EpochDone(1, epoch, epochs, report, improved=epoch == 2, notes=("a note",) if epoch == 2 else ())
    yield Finished(Path("runs/digits/1"), SUMMARY)


def show(events, mode="auto", stream=io.StringIO, **flags):
    stdout, stderr = stream(), stream()
    with choose(mode, stdout=stdout, stderr=stderr, **flags) as picture:
        for event in events:
            picture.show(event)
    return stdout.getvalue(), stderr.getvalue()


@pytest.fixture
def terminal(monkeypatch):
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.delenv("CI", raising=False)


def test_without_a_terminal_there_is_one_plain_line_per_epoch():
    stdout, stderr = show(run_of(3))
    assert stdout.splitlines()[1] == "epoch 2/3  loss 0.5000  accuracy 0.9713  val_loss nan  250 ms  best"
    assert stdout.splitlines()[3:] == [
        "best epoch 2 by val_loss: loss 0.5000  val_loss 0.5000",
        "test: loss 0.2500  accuracy 0.8750",
    ]
    assert "compile 910 ms, train 1 min 05 s, total 1 min 07 s" in stderr
    assert "run directory: runs/digits/1" in stderr
    assert "digits: 4,810 parameters, cpu target with 2 threads, seed 7" in stderr
    assert "rows: 1,258 to train on, 270 to validate on" in stderr
    assert "a note" in stderr
    assert "\x1b" not in stdout + stderr


def test_on_a_terminal_the_table_grows_below_one_header(terminal):
    stdout, _ = show(run_of(3), stream=Terminal)
    plain = CONTROL.sub("", stdout)
    assert len(re.findall(r"epoch +loss +accuracy +val_loss +rate +time", plain)) == 1
    assert len(re.findall(r"\b[123]/3 +[01]\.\d{3,4} +0\.9713 +nan +0\.002 +250 ms", plain)) == 3
    assert "20/40 steps" in plain, "the bar is drawn between rows"
    assert stdout.rstrip("\r").endswith("\x1b[?25h"), "the cursor is shown again"


def test_no_color_leaves_no_colour(terminal, monkeypatch):
    monkeypatch.setenv("NO_COLOR", "1")
    stdout, _ = show(run_of(2), stream=Terminal)
    assert not re.search(r"\x1b\[(3|4|9|10)[0-9][;m]", stdout)
    assert "2/2" in stdout


@pytest.mark.parametrize(("name", "value"), [("CI", "true"), ("TERM", "dumb")])
def test_ci_and_dumb_terminals_get_plain_lines(terminal, monkeypatch, name, value):
    monkeypatch.setenv(name, value)
    assert not is_terminal(Terminal())
    stdout, stderr = show(run_of(2), stream=Terminal)
    assert stdout.startswith("epoch 1/2  loss 1.000")
    assert "\x1b" not in stdout + stderr


def test_json_is_one_line_per_epoch_and_the_summary():
    stdout, stderr = show(run_of(2), as_json=True)
    first, second, summary = map(json.loads, stdout.splitlines())
    assert (first["epoch"], second["loss"], first["val_loss"]) == (1, 0.5, None)
    assert summary == SUMMARY
    assert "epoch 1/2" not in stderr


def test_json_on_a_terminal_keeps_the_bar_out_of_stdout(terminal):
    stdout, stderr = show(run_of(2), stream=Terminal, as_json=True)
    assert [json.loads(line) for line in stdout.splitlines()][-1] == SUMMARY
    assert "20/40 steps" in CONTROL.sub("", stderr)


def test_a_piped_table_does_not_carry_the_bar(terminal):
    stdout, stderr = io.StringIO(), Terminal()
    with choose("rich", stdout=stdout, stderr=stderr) as picture:
        for event in run_of(2):
            picture.show(event)
    assert "\x1b" not in stdout.getvalue()
    assert "steps" not in stdout.getvalue()
    assert re.search(r"2/2 +0\.5000", stdout.getvalue())
    assert "20/40 steps" in CONTROL.sub("", stderr.getvalue())


def test_none_shows_no_epochs_and_quiet_no_messages_either():
    stdout, stderr = show(run_of(2), "none")
    assert len(stdout.splitlines()) == 2
    assert "digits: 4,810 parameters" in stderr
    problem = Problem("doubtful", place=Place("a.yaml", 3, 7), hint="think")
    stdout, stderr = show(run_of(2, warnings=(problem,)), quiet=True)
    assert stdout.startswith("best epoch 2")
    assert stderr == ("warning: a.yaml:3:7: doubtful\n  hint: think\n")


def test_a_resumed_run_says_from_where_and_what_changed():
    resumed = Resumed(Path("runs/a/last.safetensors"), 1, 3, 120, (("fit.epochs", 5, 8),), ("best was damaged",))
    weights = WeightReport(Path("w.safetensors"), ("dense_1/kernel",), ("dense_2/kernel",), ("old",))
    _, stderr = show(run_of(1, resumed=resumed, weights=weights))
    assert "resuming runs/a/last.safetensors: phase 1, 3 epochs done, step 120" in stderr
    assert "changed: fit.epochs was 5, is 8" in stderr
    assert "best was damaged" in stderr
    assert "1 of 2 matched" in stderr
    assert "newly initialised: dense_2/kernel" in stderr


def test_a_narrow_terminal_keeps_the_most_telling_columns(terminal, monkeypatch):
    monkeypatch.setenv("COLUMNS", "40")
    stdout, _ = show(run_of(2), stream=Terminal)
    header = re.search(r"epoch +loss.*", CONTROL.sub("", stdout)).group()
    assert header.split() == ["epoch", "loss", "val_loss"]


def slow_run(epochs: int, steps_per_epoch: int = 1000):
    """Half of each epoch is seen after five seconds."""
    yield from list(run_of(0))[:1]
    yield PhaseStarted(1, 1, None, 1, epochs, steps_per_epoch, 32, 0.91)
    for epoch in range(1, epochs + 1):
        yield SliceDone(1, epoch, epochs, steps_per_epoch, steps_per_epoch, 32, 10.0, {"loss": 0.75, "accuracy": 0.5})
        if epoch < epochs:
            report = {"phase": 1, "epoch": epoch, "steps": 1, "seconds": 12.0, "learning_rate": 0.1, "loss": 1 / epoch}
            yield EpochDone(1, epoch, epochs, report, improved=True)


def test_the_bar_tells_speed_curve_and_time_left(terminal, monkeypatch):
    monkeypatch.setenv("COLUMNS", "140")
    stdout, _ = show(slow_run(4), stream=Terminal)
    plain = CONTROL.sub("", stdout)
    assert "1,000/1,000 steps  100.0 steps/s  loss 0.7500  accuracy 0.5000  30 s left" in plain, "three like the first"
    assert "loss 0.7500  accuracy 0.5000  █▁  12 s left" in plain, "one of 12 s is left, validation included"
    assert "█▃▁" in plain
    assert re.search(r"epoch 2/4 +\S+ +36 s left", plain), "three epochs of 12 s before the second begins"


def test_a_narrow_terminal_keeps_steps_and_loss(terminal, monkeypatch):
    monkeypatch.setenv("COLUMNS", "76")
    stdout, _ = show(slow_run(4), stream=Terminal)
    plain = CONTROL.sub("", stdout)
    assert "1,000/1,000 steps  loss 0.7500" in plain
    assert "steps/s" not in plain
    assert "…" not in plain, "nothing is cut off"
