"""`log` in a config: TensorBoard's event files, read back by a reader of its own, and MLflow by a stand-in for it."""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from trainer_cli.reports.tensorboard import crc32c, event

MLFLOW = """
import json, os

def note(*words):
    with open(os.environ["MLFLOW_CALLS"], "a") as file:
        file.write(json.dumps(words) + "\\n")

class Info:
    run_id = "run7"
    info = property(lambda self: self)

class MlflowClient:
    def get_experiment_by_name(self, name):
        note("experiment", name)
    def create_experiment(self, name):
        return "3"
    def create_run(self, experiment, run_name):
        note("run", experiment, run_name)
        return Info()
    def update_run(self, run, status):
        note("update", run, status)
    def log_batch(self, run, metrics=(), params=(), tags=()):
        if os.environ.get("MLFLOW_BREAKS") and metrics:
            raise RuntimeError("the server\\nis gone")
        note("batch", run, list(metrics), list(params), list(tags))
    def set_terminated(self, run, status):
        note("end", run, status)
"""
ENTITIES = """
def Metric(key, value, timestamp, step):
    return [key, value, step]
def Param(key, value):
    return [key, value]
RunTag = Param
"""


def records(content: bytes) -> Iterator[bytes]:
    """The TFRecords of a file, their checksums verified bit by bit from the polynomial."""

    def masked(data: bytes) -> int:
        crc = 0xFFFFFFFF
        for byte in data:
            crc ^= byte
            for _ in range(8):
                crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
        crc ^= 0xFFFFFFFF
        return ((crc >> 15 | crc << 17) + 0xA282EAD8) % 2**32

    while content:
        length, check = struct.unpack("<QI", content[:12])
        assert check == masked(content[:8])
        data, (check,) = content[12 : 12 + length], struct.unpack("<I", content[12 + length : 16 + length])
        assert check == masked(data)
        yield data
        content = content[16 + length :]


def fields(data: bytes) -> Iterator[tuple[int, object]]:
    """The fields of a protobuf message: varints, doubles, floats and framed bytes."""

    def varint() -> int:
        nonlocal place
        value = shift = 0
        while True:
            byte = data[place]
            place += 1
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return value

    place = 0
    while place < len(data):
        field, kind = divmod(varint(), 8)
        if kind == 0:
            yield field, varint()
            continue
        size = {1: 8, 5: 4}.get(kind) or varint()
        piece = data[place : place + size]
        place += size
        yield field, struct.unpack({1: "<d", 5: "<f"}[kind], piece)[0] if kind in (1, 5) else piece


def curves(folder: Path) -> dict[str, dict[int, dict[str, float]]]:
    """What a folder of event files tells, by part and step."""
    found: dict[str, dict[int, dict[str, float]]] = {}
    for file in sorted(folder.rglob("events.out.tfevents.*")):
        for number, data in enumerate(records(file.read_bytes())):
            message = dict(fields(data))
            assert message[1] > 1e9  # seconds since 1970
            if number == 0:
                assert message[3] == b"brain.Event:2"
                continue
            values = (dict(fields(value)) for field, value in fields(message[5]) if field == 1)
            step = found.setdefault(file.parent.name, {}).setdefault(message[2], {})
            step |= {value[1].decode(): value[2] for value in values}
    return found


def test_the_checksum_is_that_of_the_standard():
    assert crc32c(b"123456789") == 0xE3069283
    assert crc32c(bytes(32)) == 0x8A9136AA


def test_large_steps_and_values():
    ((_, time), (_, step), (_, summary)) = fields(event(2.5, step=3_000_000_000, values={"lößß": 1e300, "b": -1e300}))
    assert (time, step) == (2.5, 3_000_000_000)
    first, second = (dict(fields(value)) for _, value in fields(summary))
    assert (first[1].decode(), first[2], second[2]) == ("lößß", float("inf"), -float("inf"))


def test_event_files_hold_the_epochs_of_a_run_and_of_its_resumption(project):
    project.configure(log=["tensorboard"])
    assert project.fit("--run-dir", "run").returncode == 0
    done = project.run("fit", "--resume", "run", "--extend-epochs", "2", "--target", "reference")
    assert done.returncode == 0, done.stderr
    found = curves(project.folder / "run" / "tensorboard")
    lines = [json.loads(line) for line in (project.folder / "run" / "metrics.jsonl").read_text().splitlines()]
    assert len(lines) == 5
    assert list(found["train"]) == [line["steps"] for line in lines] == list(found["validation"])
    for line in lines:
        for part, prefix in (("train", ""), ("validation", "val_")):
            for name in ("loss", "accuracy"):
                assert found[part][line["steps"]][name] == np.float32(line[prefix + name])
        assert found["train"][line["steps"]]["learning_rate"] == np.float32(line["learning_rate"])
    summary = json.loads((project.folder / "run" / "summary.json").read_text())
    assert found["test"][lines[-1]["steps"]]["loss"] == np.float32(summary["final"]["test_loss"])


def test_event_files_are_those_that_tensorboard_reads(project):
    reader = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    project.configure(log=["tensorboard"])
    assert project.fit("--run-dir", "run").returncode == 0
    events = reader.EventAccumulator(str(project.folder / "run" / "tensorboard" / "validation"))
    events.Reload()
    lines = [json.loads(line) for line in (project.folder / "run" / "metrics.jsonl").read_text().splitlines()]
    expected = [(line["steps"], np.float32(line["val_loss"])) for line in lines]
    assert [(each.step, each.value) for each in events.Scalars("loss")] == expected


@pytest.fixture
def mlflow(project) -> dict[str, str]:
    """An environment in which there is something called MLflow."""
    package = project.folder / "lib" / "mlflow"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text(MLFLOW)
    (package / "entities.py").write_text(ENTITIES)
    path = f"{package.parent}:{project.environment()['PYTHONPATH']}"
    return {"PYTHONPATH": path, "MLFLOW_CALLS": str(project.folder / "calls")}


def test_mlflow_gets_settings_and_epochs(project, mlflow):
    project.configure(log=["mlflow"])
    done = project.fit("--run-dir", "run", environment=mlflow)
    assert done.returncode == 0, done.stderr
    project.run("fit", "--resume", "run", "--extend-epochs", "1", "--target", "reference", environment=mlflow)
    calls = [json.loads(line) for line in (project.folder / "calls").read_text().splitlines()]
    assert [call[0] for call in calls] == ["experiment", "run", *["batch"] * 5, "end", "update", *["batch"] * 2, "end"]
    assert calls[0] == ["experiment", "flowers"]
    assert ["optimizer.learning_rate", "0.02"] in calls[2][3]
    lines = [json.loads(line) for line in (project.folder / "run" / "metrics.jsonl").read_text().splitlines()]
    for call, line in zip(calls[3:6], lines, strict=False):
        assert ["val_loss", line["val_loss"], line["steps"]] in call[2]
    assert calls[6][2][0][0].startswith("test_")
    assert calls[-1] == ["end", "run7", "FINISHED"]


def test_a_logger_that_fails_is_told_once_and_the_training_goes_on(project, mlflow):
    assert project.fit("--run-dir", "run").returncode == 0
    (project.folder / "run" / "tensorboard").write_text("in the way")
    more = ("--resume", "run", "--extend-epochs", "2", "--set", "log=[mlflow, tensorboard]", "--target", "reference")
    done = project.run("fit", *more, environment={**mlflow, "MLFLOW_BREAKS": "1"})
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("warning: mlflow gets no more of this run: the server is gone") == 1
    assert done.stderr.count("warning: tensorboard gets no more of this run") == 1
    assert len((project.folder / "run" / "metrics.jsonl").read_text().splitlines()) == 5


@pytest.mark.parametrize("more", [(), ("--dry-run",)])
def test_a_missing_extra_is_told_before_anything_begins(project, more):
    project.configure(log=["mlflow"])
    package = project.folder / "lib" / "mlflow"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("raise ImportError")
    path = f"{package.parent}:{project.environment()['PYTHONPATH']}"
    done = project.fit("--run-dir", "run", *more, environment={"PYTHONPATH": path})
    assert done.returncode == 6
    assert "pip install 'trainer-cli[mlflow]'" in done.stderr
    assert not (project.folder / "run").exists()


def test_another_logger_is_refused(project):
    project.configure(log=["tensorbord"])
    done = project.run("validate", "config.yaml")
    assert done.returncode == 2
    assert "tensorboard" in done.stderr
