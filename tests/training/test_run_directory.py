"""Run directories never collide, never overwrite, and hold lines that any JSON reader takes."""

from __future__ import annotations

import json
import platform
import subprocess
from datetime import UTC, datetime

import pytest

from trainer_cli.errors import ConfigError, ResourceError
from trainer_cli.training.run_directory import (
    RunDirectory,
    cpu_model,
    create_run_directory,
    git_state,
    latest_run,
    manifest,
    open_run_directory,
    system_name,
)

NOON = datetime(2030, 1, 2, 12, 0, 0, tzinfo=UTC)


def test_runs_of_the_same_second_get_their_own_folders(tmp_path):
    names = [create_run_directory("a b/c", root=tmp_path, now=NOON).path for _ in range(3)]
    assert [path.name for path in names] == ["20300102T120000Z", "20300102T120000Z-2", "20300102T120000Z-3"]
    assert names[0].parent == tmp_path / "a-b-c"
    assert (names[2] / "checkpoints").is_dir()


@pytest.mark.parametrize("name", ["..", ".", "/", ""])
def test_no_name_leads_out_of_the_root(tmp_path, name):
    path = create_run_directory(name, root=tmp_path, now=NOON).path
    assert path.resolve().parent.parent == tmp_path.resolve()


def test_an_explicit_folder_may_exist_only_if_it_is_empty(tmp_path):
    path = tmp_path / "x" / "y"
    assert create_run_directory("n", path).path == path
    with pytest.raises(ConfigError, match="already holds a run"):
        create_run_directory("n", path)
    other = tmp_path / "z"
    other.mkdir()
    create_run_directory("n", other)
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(ConfigError, match=r"not empty \(notes.txt"):
        create_run_directory("n", tmp_path)


def test_a_folder_that_cannot_be_made_is_a_resource_error(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ResourceError):
        create_run_directory("n", tmp_path / "file" / "run")


def test_the_latest_run_is_the_newest_with_a_checkpoint(tmp_path):
    runs = [create_run_directory("n", root=tmp_path, now=NOON) for _ in range(11)]
    later = create_run_directory("n", root=tmp_path, now=NOON.replace(hour=13))
    for run in runs:
        run.last.touch()
    assert latest_run("n", tmp_path) == runs[-1].path
    later.best.touch()
    assert latest_run("n", tmp_path) == later.path
    with pytest.raises(ConfigError, match="no run with a checkpoint"):
        latest_run("other", tmp_path)


def test_metrics_are_appended_and_rewritten_as_json_numbers(tmp_path):
    directory = RunDirectory(tmp_path)
    directory.append_metrics({"epoch": 1, "loss": 0.1, "recall": float("nan")})
    directory.append_metrics({"epoch": 2, "loss": float("inf")})
    lines = [json.loads(line) for line in directory.metrics.read_text().splitlines()]
    assert lines == [{"epoch": 1, "loss": 0.1, "recall": None}, {"epoch": 2, "loss": None}]
    with open(directory.metrics, "a") as file:
        file.write('{"epoch": 3, "los')
    directory.rewrite_metrics(lines[:1])
    assert directory.metrics.read_text() == '{"epoch": 1, "loss": 0.1, "recall": null}\n'


def test_only_run_directories_are_resumed(tmp_path):
    with pytest.raises(ConfigError, match="no run directory"):
        open_run_directory(tmp_path)
    (tmp_path / "checkpoints").mkdir()
    (tmp_path / "checkpoints" / ".last.safetensors.1.part").touch()
    (tmp_path / "checkpoints" / "last.safetensors").touch()
    assert open_run_directory(tmp_path).last.is_file()
    assert len(list((tmp_path / "checkpoints").iterdir())) == 1


def test_a_run_without_epochs_has_an_empty_file_of_metrics(tmp_path):
    directory = RunDirectory(tmp_path)
    directory.rewrite_metrics([])
    assert directory.metrics.read_bytes() == b""
    directory.append_metrics({"epoch": 1})
    directory.rewrite_metrics([])
    assert directory.metrics.read_bytes() == b""


def test_where_no_file_of_metrics_can_be_made_that_is_told(tmp_path):
    with pytest.raises(ResourceError, match=r"cannot write .*metrics\.jsonl"):
        RunDirectory(tmp_path / "none").rewrite_metrics([])


def test_the_system_is_called_as_python_calls_it(monkeypatch):
    called = platform.platform()  # which starts a process, and remembers the answer
    assert system_name() == called


def test_the_manifest_tells_what_ran_on_what(tmp_path):
    made = manifest(
        seed=3, target="cpu", threads=None, digest="d", config_folder=tmp_path, command=["trainer", "fit", "a b"]
    )
    assert made["command"] == "trainer fit 'a b'"
    assert made["threads"] == made["cpus"] >= 1
    assert made["versions"]["numpy"]
    assert made["git"] is None
    json.dumps(made)


def test_the_manifest_keeps_how_the_run_began_when_it_is_resumed(tmp_path):
    directory = RunDirectory(tmp_path)
    for seed in (1, 2, 3):
        directory.write_manifest({"seed": seed})
    found = json.loads((tmp_path / "manifest.json").read_text())
    assert found == {"seed": 1, "resumed": [{"seed": 2}, {"seed": 3}]}
    (tmp_path / "manifest.json").write_text("{")
    directory.write_manifest({"seed": 4})
    assert json.loads((tmp_path / "manifest.json").read_text()) == {"seed": 4}


def test_the_commit_of_the_configs_folder_is_recorded(tmp_path):
    git = ["git", "-C", str(tmp_path), "-c", "user.name=n", "-c", "user.email=e@example.org"]
    subprocess.run([*git, "init", "-q"], check=True)
    (tmp_path / "a").write_text("1")
    subprocess.run([*git, "add", "a"], check=True)
    subprocess.run([*git, "commit", "-q", "-m", "first"], check=True)
    state = git_state(tmp_path)
    assert len(state["commit"]) == 40
    assert state["modified"] is False
    (tmp_path / "a").write_text("2")
    assert git_state(tmp_path)["modified"] is True
    assert git_state(tmp_path, run=lambda command: None) is None


def test_the_processor_is_named(tmp_path):
    (tmp_path / "cpuinfo").write_text("processor : 0\nmodel name\t: Fast Chip\n")
    assert cpu_model(tmp_path / "cpuinfo") == "Fast Chip"
    assert cpu_model(tmp_path / "missing")
