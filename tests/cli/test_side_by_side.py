"""Commands that share a cache, and homes that cannot be written, cost at most time: results are the same."""

from __future__ import annotations

import json

import pytest

from trainer_cli.training.checkpoints import read_checkpoint


def weights(run) -> dict:
    state = read_checkpoint(run / "checkpoints" / "last.safetensors")
    return {name: value.tobytes() for name, value in state.tensors().items()}


def test_runs_that_start_together_with_an_empty_cache_end_with_the_same_bits(project):
    environment = {"TRAINER_CACHE_DIR": str(project.folder / "cache")}
    runs = [f"run{number}" for number in range(3)]
    arguments = ["fit", "config.yaml", "--quiet", "--run-dir"]
    processes = [project.start(*arguments, run, environment=environment) for run in runs]
    for process in processes:
        _, errors = process.communicate(timeout=300)
        assert process.returncode == 0, errors
        assert errors == ""
    first, *others = (weights(project.folder / run) for run in runs)
    assert all(other == first for other in others)


def test_runs_that_start_together_in_one_folder_get_their_own(project):
    processes = [project.start("fit", "config.yaml", "--target", "reference", "--json") for _ in range(3)]
    for process in processes:
        _, errors = process.communicate(timeout=300)
        assert process.returncode == 0, errors
    summaries = list((project.folder / "runs" / "flowers").glob("*/summary.json"))
    assert len(summaries) == 3
    assert {json.loads(path.read_text())["stop_reason"] for path in summaries} == {"completed"}


@pytest.mark.parametrize("home", ["missing/home", "flowers.csv", "/proc/1"])
def test_a_home_that_cannot_be_written_is_no_hindrance(project, home):
    environment = {"HOME": home if home.startswith("/") else str(project.folder / "flowers.csv" / home)}
    environment |= {"XDG_CACHE_HOME": "", "TRAINER_CACHE_DIR": "", "TMPDIR": str(project.folder)}
    done = project.fit("--run-dir", "run", "--target", "cpu", "--quiet", environment=environment)
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    done = project.run("predict", "run", "--output", "new.csv", environment=environment)
    assert done.returncode == 0, done.stderr
