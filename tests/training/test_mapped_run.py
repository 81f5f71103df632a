"""Runs on mapped data: more of it than the memory limit, with the metrics of no limit; and resumed to the same bits."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from trainer_cli.config.load import load
from trainer_cli.data import mapped
from trainer_cli.errors import Interrupted
from trainer_cli.training.checkpoints import read_checkpoint
from trainer_cli.training.evaluate import evaluate
from trainer_cli.training.events import SliceDone
from trainer_cli.training.fit import FitOptions, fit

DIGITS = Path(__file__).parents[2] / "configs" / "digits.yaml"
LIMIT = 24 << 20
WIDTH = 1024

CONFIG = """
name: large
seed: 3
data: {type: npz, path: large.npz, scaling: unit, memory: mapped, split: {validation: 0.1, stratify: true}}
architecture: [{type: dense, units: 8, activation: relu}, {type: dense, units: 3, activation: softmax}]
optimizer: adam
loss: sparse_categorical_crossentropy
metrics: [accuracy]
fit: {epochs: 2, batch_size: 512}
"""

PROGRAM = """
import resource, sys
from pathlib import Path
from trainer_cli.config.load import load
from trainer_cli.training.fit import FitOptions, fit

def run(name, overrides):
    options = FitOptions(run_directory=Path(name), threads=1)
    return list(fit(load(Path("config.yaml"), overrides), options))[-1].summary

# All that a run takes beside its data is loaded by a run that has next to none.
run(f"{sys.argv[1]}-small", ["data.path=small.npz", "fit.epochs=1"])
if sys.argv[2] != "unlimited":
    used = next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("VmData"))
    limit = used * 1024 + int(sys.argv[2])
    resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
run(sys.argv[1], sys.argv[3:])
"""


def run(folder: Path, name: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    # A folder for the files of each run: one shall not find what another has converted.
    environment = {**os.environ, "TRAINER_CACHE_DIR": str(folder / "cache" / name)}
    command = [sys.executable, "-c", PROGRAM, name, *arguments]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


def lines(directory: Path) -> list[dict[str, float]]:
    found = [json.loads(line) for line in (directory / "metrics.jsonl").read_text().splitlines()]
    return [{key: value for key, value in line.items() if key != "seconds"} for line in found]


def bits(directory: Path) -> dict[str, bytes]:
    state = read_checkpoint(directory / "checkpoints" / "last.safetensors")
    return {name: value.tobytes() for name, value in state.tensors().items()}


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="limits of data are counted by Linux alone")
def test_data_four_times_the_limit_trains_to_the_same_metrics(tmp_path: Path):
    (tmp_path / "config.yaml").write_text(CONFIG)
    draw = np.random.default_rng(0)
    for name, rows in (("small", 600), ("large", 4 * LIMIT // WIDTH)):
        labels = draw.integers(0, 3, rows)
        values = draw.integers(0, 200, (rows, WIDTH), np.uint8)
        values[:, :50] += (labels * 20).astype(np.uint8)[:, np.newaxis]
        np.savez(tmp_path / f"{name}.npz", x=values, y=labels)
    free = run(tmp_path, "free", "unlimited")
    assert free.returncode == 0, free.stderr
    limited = run(tmp_path, "limited", str(LIMIT))
    assert limited.returncode == 0, limited.stderr
    assert lines(tmp_path / "limited") == lines(tmp_path / "free")
    assert bits(tmp_path / "limited") == bits(tmp_path / "free")
    assert lines(tmp_path / "free")[-1]["val_accuracy"] > 0.5
    # The limit is one: what is loaded into memory does not fit.
    loaded = run(tmp_path, "loaded", str(LIMIT), "data.memory=loaded")
    assert loaded.returncode != 0
    assert "emory" in loaded.stderr


def test_an_interrupted_run_on_mapped_data_ends_with_the_same_bits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(mapped, "_BLOCK_ROWS", 5)  # so that there is more to shuffle than is mixed at a time
    config = load(DIGITS, ["fit.epochs=2", "data.memory=mapped"])
    whole = list(fit(config, FitOptions(run_directory=tmp_path / "whole", threads=1)))[-1].summary
    monkeypatch.setattr("trainer_cli.training.epoch.Pacer.observe", lambda self, *_: setattr(self, "steps", 9))
    with pytest.raises(Interrupted):  # noqa: PT012
        for event in fit(config, FitOptions(run_directory=tmp_path / "cut", threads=2)):
            if isinstance(event, SliceDone) and event.epoch == 2:
                os.kill(os.getpid(), signal.SIGTERM)
    state = read_checkpoint(tmp_path / "cut" / "checkpoints" / "last.safetensors")
    assert 0 < state.counters.position < 1259
    list(fit(load(tmp_path / "cut" / "config.yaml"), FitOptions(resume=tmp_path / "cut", threads=2)))
    assert bits(tmp_path / "cut") == bits(tmp_path / "whole")
    assert lines(tmp_path / "cut") == lines(tmp_path / "whole")
    # Shuffled in blocks the rows come in another order than at once, and the held-out rows are the same ones.
    list(fit(load(DIGITS, ["fit.epochs=2"]), FitOptions(run_directory=tmp_path / "loaded", threads=1)))
    assert bits(tmp_path / "loaded") != bits(tmp_path / "whole")
    last = evaluate(tmp_path / "whole" / "checkpoints" / "last.safetensors", None, part="test", threads=1)
    assert last.rows == 268
    found = {f"test_{name}": value for name, value in last.results.items()}
    assert found == {name: whole["final"][name] for name in found}
    monkeypatch.setattr(mapped, "_BLOCK_ROWS", 1 << 12)
    list(fit(config, FitOptions(run_directory=tmp_path / "one", threads=1)))
    assert bits(tmp_path / "one") == bits(tmp_path / "loaded")


@pytest.mark.parametrize("split", ["{validation: 0.2, group: who}", "{validation: 0.2, time: day}"])
def test_rows_split_by_a_column_give_the_same_metrics_and_bits(tmp_path: Path, split: str):
    draw = np.random.default_rng(1)
    rows = [f"{draw.normal():.4f},{row % 2},p{row % 13},2024-{1 + row * 7 % 12:02}-03" for row in range(150)]
    (tmp_path / "t.csv").write_text("\n".join(["x,y,who,day", *rows]))
    (tmp_path / "config.yaml").write_text(
        f"data: {{type: csv, path: t.csv, target: y, features: [x], split: {split}}}\n"
        "architecture: [{type: dense, units: 4, activation: tanh}, {type: dense, units: 2, activation: softmax}]\n"
        "optimizer: adam\nloss: sparse_categorical_crossentropy\nmetrics: [accuracy]\nfit: {epochs: 2}\n"
    )
    for memory in ("loaded", "mapped"):
        options = FitOptions(run_directory=tmp_path / memory, target="reference")
        list(fit(load(tmp_path / "config.yaml", [f"data.memory={memory}"]), options))
    assert lines(tmp_path / "mapped") == lines(tmp_path / "loaded")
    assert "val_accuracy" in lines(tmp_path / "mapped")[-1]
    assert bits(tmp_path / "mapped") == bits(tmp_path / "loaded")
    evaluated = [evaluate(tmp_path / memory, part="validation", target="reference") for memory in ("loaded", "mapped")]
    assert evaluated[0] == evaluated[1]
