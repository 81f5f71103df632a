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
from trainer_cli.data import stored_array
from trainer_cli.errors import Interrupted
from trainer_cli.training.checkpoints import read_checkpoint
from trainer_cli.training.evaluate import evaluate
from trainer_cli.training.events import SliceDone
from trainer_cli.training.fit import FitOptions, fit
from trainer_cli.training.predict import predict, predict_blocks
from trainer_cli.training.validate import validate

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
run(f"{sys.argv[1]}-small", [f"data.path={sys.argv[2]}", "fit.epochs=1", *sys.argv[4:]])
if sys.argv[3] != "unlimited":
    used = next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("VmData"))
    limit = used * 1024 + int(sys.argv[3])
    resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
run(sys.argv[1], sys.argv[4:])
"""


def run(folder: Path, name: str, small: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    # A folder for the files of each run: one shall not find what another has converted.
    environment = {**os.environ, "TRAINER_CACHE_DIR": str(folder / "cache" / name)}
    command = [sys.executable, "-c", PROGRAM, name, small, *arguments]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


def assert_a_limit_changes_nothing(folder: Path, config: str, small: str) -> None:
    """A run with the limit on memory and one without end alike, and the limit is one: what is loaded does not fit."""
    (folder / "config.yaml").write_text(config)
    free = run(folder, "free", small, "unlimited")
    assert free.returncode == 0, free.stderr
    limited = run(folder, "limited", small, str(LIMIT))
    assert limited.returncode == 0, limited.stderr
    assert lines(folder / "limited") == lines(folder / "free")
    assert bits(folder / "limited") == bits(folder / "free")
    loaded = run(folder, "loaded", small, str(LIMIT), "data.memory=loaded")
    assert loaded.returncode != 0
    assert "emory" in loaded.stderr


def lines(directory: Path) -> list[dict[str, float]]:
    found = [json.loads(line) for line in (directory / "metrics.jsonl").read_text().splitlines()]
    return [{key: value for key, value in line.items() if key != "seconds"} for line in found]


def bits(directory: Path) -> dict[str, bytes]:
    state = read_checkpoint(directory / "checkpoints" / "last.safetensors")
    return {name: value.tobytes() for name, value in state.tensors().items()}


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="limits of data are counted by Linux alone")
def test_data_four_times_the_limit_trains_to_the_same_metrics(tmp_path: Path):
    draw = np.random.default_rng(0)
    for name, rows in (("small", 600), ("large", 4 * LIMIT // WIDTH)):
        labels = draw.integers(0, 3, rows)
        values = draw.integers(0, 200, (rows, WIDTH), np.uint8)
        values[:, :50] += (labels * 20).astype(np.uint8)[:, np.newaxis]
        np.savez(tmp_path / f"{name}.npz", x=values, y=labels)
    assert_a_limit_changes_nothing(tmp_path, CONFIG, "small.npz")
    assert lines(tmp_path / "free")[-1]["val_accuracy"] > 0.5


IMAGES = """
name: images
seed: 3
data: {type: images, path: large, memory: mapped, split: {validation: 0.1, stratify: true}}
architecture: [{type: flatten}, {type: dense, units: 2, activation: softmax}]
optimizer: adam
loss: sparse_categorical_crossentropy
metrics: [accuracy]
fit: {epochs: 2, batch_size: 32}
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="limits of data are counted by Linux alone")
def test_images_of_four_times_the_limit_train_to_the_same_metrics(tmp_path: Path):
    pillow = pytest.importorskip("PIL.Image", reason="needs the extra `images`")
    draw = np.random.default_rng(0)
    for name, rows in (("small", 40), ("large", 4 * LIMIT // (128 * 128 * 3))):
        for number in range(rows):
            label = number % 2
            path = tmp_path / name / "ab"[label] / f"{number:04}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            values = draw.integers(0, 4, (128, 128, 3), np.uint8) + np.uint8(label * 30)
            pillow.fromarray(values).save(path, compress_level=1)
    assert_a_limit_changes_nothing(tmp_path, IMAGES, "small")
    assert lines(tmp_path / "free")[-1]["val_accuracy"] > 0.6


TEXT = """
name: text
seed: 3
data: {type: text, path: large.txt, length: 32, stride: 8, unit: word, memory: mapped, split: {validation: 0.1}}
architecture:
  - {type: embedding, input_dim: 40, output_dim: 4}
  - {type: dense, units: 40, activation: softmax}
optimizer: adam
loss: sparse_categorical_crossentropy
fit: {epochs: 1, batch_size: 512}
class_weight: {w3: 2.0}
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="limits of data are counted by Linux alone")
def test_windows_of_four_times_the_limit_train_to_the_same_metrics(tmp_path: Path):
    draw = np.random.default_rng(0)
    for name, rows in (("small", 600), ("large", 4 * LIMIT // (2 * 32 * 4))):
        words = [f"w{number}" for number in draw.integers(0, 30, rows * 8)]
        (tmp_path / f"{name}.txt").write_text(" ".join(words))
    assert_a_limit_changes_nothing(tmp_path, TEXT, "small.txt")


MODELS = {
    "images": (
        "{type: images, path: images, size: [5, 4], split: {validation: 0.2, test: 0.2, stratify: true}}",
        "[{type: flatten}, {type: dense, units: 4, activation: tanh}, {type: dense, units: 3, activation: softmax}]",
        "images",
    ),
    "text": (
        "{type: text, path: t.txt, length: 6, stride: 4, unit: word, split: {validation: 0.2, test: 0.2}}",
        "[{type: embedding, input_dim: 12, output_dim: 4}, {type: dense, units: 12, activation: softmax}]",
        "t.txt",
    ),
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("mapped")
    draw = np.random.default_rng(2)
    (folder / "t.txt").write_text(" ".join(f"w{number}" for number in draw.integers(0, 10, 1200)))
    return folder


@pytest.mark.parametrize("kind", list(MODELS))
def test_loaded_and_mapped_runs_end_with_the_same_bits_and_answer_alike(
    folder: Path, kind: str, monkeypatch: pytest.MonkeyPatch
):
    data, architecture, new = MODELS[kind]
    if kind == "images":
        pillow = pytest.importorskip("PIL.Image", reason="needs the extra `images`")
        for number in range(90):
            path = folder / "images" / "abc"[number // 30] / f"{number}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            pillow.fromarray(np.full((7, 6, 3), number * 2, np.uint8)).save(path)
    monkeypatch.setenv("TRAINER_CACHE_DIR", str(folder / "cache"))
    (folder / f"{kind}.yaml").write_text(
        f"data: {data}\narchitecture: {architecture}\noptimizer: adam\n"
        "loss: sparse_categorical_crossentropy\nmetrics: [accuracy]\nfit: {epochs: 2, batch_size: 16}\n"
    )
    assert validate(folder / f"{kind}.yaml", ["data.memory=mapped"], read_data=True).problems == []
    found = {}
    for memory in ("loaded", "mapped"):
        run_directory = folder / f"{kind}-{memory}"
        loaded = load(folder / f"{kind}.yaml", [f"data.memory={memory}"])
        list(fit(loaded, FitOptions(run_directory=run_directory, target="reference")))
        (parts,) = predict(run_directory, part="test", target="reference").values()
        (whole,) = predict(run_directory, data=folder / new, target="reference").values()
        blocks = predict_blocks(run_directory, None, folder / new, target="reference")
        (values,) = zip(*(block.values() for block in blocks), strict=True)
        found[memory] = (
            lines(run_directory),
            bits(run_directory),
            evaluate(run_directory, part="test", target="reference"),
            evaluate(run_directory, data=folder / new, target="reference"),
            parts.values.tobytes(),
            whole.values.tobytes(),
            np.concatenate([each.values for each in values]).tobytes(),
        )
    assert found["mapped"] == found["loaded"]
    assert found["mapped"][5] == found["mapped"][6]
    assert "val_accuracy" in found["mapped"][0][-1]
    # A run that goes on converts nothing again.
    monkeypatch.setattr("trainer_cli.data.mapped.raw_table", lambda *_: pytest.fail("converted again"))
    resumed = folder / f"{kind}-mapped"
    list(fit(load(resumed / "config.yaml", ["fit.epochs=3"]), FitOptions(resume=resumed, target="reference")))
    assert len(lines(resumed)) == 3


def test_an_interrupted_run_on_mapped_data_ends_with_the_same_bits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(stored_array, "_BLOCK_ROWS", 5)  # so that there is more to shuffle than is mixed at a time
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
    monkeypatch.setattr(stored_array, "_BLOCK_ROWS", 1 << 12)
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
