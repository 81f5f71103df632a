"""Runs that are killed at random moments, or whose last checkpoint is damaged, end with the bits of a quiet run.

`TRAINER_KILLS` is the number of kills on each target (by default 25 on the reference target and 5 in native code), and
`TRAINER_KILL_SEED` chooses the moments.
"""

from __future__ import annotations

import json
import os
import random
import signal
import time
from pathlib import Path

import pytest

from trainer_cli.training.checkpoints import CheckpointError, read_checkpoint

KILLS = os.environ.get("TRAINER_KILLS")
SEED = int(os.environ.get("TRAINER_KILL_SEED", "0"))
LAYERS = [
    {"type": "dense", "units": 8, "activation": "relu"},
    {"type": "dropout", "rate": 0.2},
    {"type": "dense", "units": 3, "activation": "softmax"},
]


def configure(project, epochs: int) -> None:
    """Two phases with all that a checkpoint holds: slots, random numbers, patience, kept weights; saved at slices."""
    stopping = {"monitor": "val_loss", "patience": 10_000, "restore_best": True}
    project.configure(
        architecture=LAYERS,
        fit={
            "epochs": epochs,
            "batch_size": 8,
            "early_stopping": stopping,
            "checkpoint": {"every_minutes": 1e-9, "every_epochs": epochs // 3},
        },
        phases=[{}, {"optimizer": {"type": "sgd", "momentum": 0.5, "learning_rate": 0.01}}],
    )


def outcome(run: Path) -> dict:
    """All that must not depend on what happened on the way."""
    found = {}
    for stem in ("last", "best"):
        state = read_checkpoint(run / "checkpoints" / f"{stem}.safetensors")
        found[stem] = {name: value.tobytes() for name, value in state.tensors().items()}
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    found["metrics"] = [{key: value for key, value in line.items() if key != "seconds"} for line in lines]
    summary = json.loads((run / "summary.json").read_text())
    found["summary"] = {key: value for key, value in summary.items() if key != "seconds"}
    return found


def kill_at(project, process, moment: random.Random) -> bool:
    """Kill the process at a random moment: while it starts, after some checkpoints, or in the midst of writing one."""
    folder = project.folder / "run" / "checkpoints"
    kind = moment.choice(["any time", "checkpoints", "writing", "writing"])
    if kind == "any time":
        time.sleep(moment.uniform(0.0, 0.8))
    left = moment.randrange(5)
    before = None
    deadline = time.monotonic() + 60
    while kind != "any time" and process.poll() is None and time.monotonic() < deadline:
        names = os.listdir(folder) if folder.is_dir() else []
        if kind == "writing" and left <= 0 and any(name.endswith(".part") for name in names):
            break
        found = (folder / "last.safetensors").stat().st_mtime_ns if "last.safetensors" in names else None
        left -= found != before
        before = found
        if kind == "checkpoints" and left < 0:
            break
    if kind == "checkpoints":
        time.sleep(moment.uniform(0.0, 0.01))
    process.send_signal(signal.SIGKILL)
    _, errors = process.communicate(timeout=60)
    assert process.returncode in (0, -signal.SIGKILL), errors
    return process.returncode != 0


@pytest.mark.parametrize(("target", "kills"), [("reference", KILLS or 25), ("cpu", KILLS or 5)])
def test_a_run_killed_at_random_moments_ends_with_the_bits_of_a_quiet_one(project, target, kills):
    kills = int(kills)
    configure(project, epochs=3 * kills)
    quiet = project.fit("--target", target, "--run-dir", "quiet", "--quiet")
    assert quiet.returncode == 0, quiet.stderr
    moment = random.Random(f"{SEED} {target}")
    arguments = ["fit", "config.yaml", "--target", target, "--quiet"]

    def way() -> list[str]:
        begun = (project.folder / "run" / "manifest.json").exists()
        return [*arguments, *(("--resume", "run") if begun else ("--run-dir", "run"))]

    for _ in range(kills):
        assert kill_at(project, project.start(*way()), moment), "the run ended before its kill"
        for path in (project.folder / "run" / "checkpoints").glob("*.safetensors"):
            read_checkpoint(path)  # whatever the moment, no file is a part of one
    done = project.run(*way())
    assert done.returncode == 0, done.stderr
    assert outcome(project.folder / "run") == outcome(project.folder / "quiet")
    assert not list((project.folder / "run").rglob(".*")), "nothing half written is left"


def truncate(path: Path, moment: random.Random) -> None:
    os.truncate(path, moment.randrange(path.stat().st_size))


def change(path: Path, moment: random.Random) -> None:
    content = bytearray(path.read_bytes())
    content[-moment.randrange(1, 500)] ^= 1 << moment.randrange(8)
    path.write_bytes(content)


def empty(path: Path, moment: random.Random) -> None:
    path.write_bytes(b"\0" * path.stat().st_size)  # as some file systems leave it when the power fails


@pytest.mark.parametrize("damage", [truncate, change, empty])
def test_a_damaged_checkpoint_costs_no_more_than_the_way_from_the_one_before(project, damage):
    moment = random.Random(f"{SEED} {damage.__name__}")
    configure(project, epochs=12)
    assert project.fit("--run-dir", "quiet", "--quiet").returncode == 0
    assert project.fit("--run-dir", "run", "--quiet", "--limit-steps", str(moment.randrange(20, 80))).returncode == 0
    last = project.folder / "run" / "checkpoints" / "last.safetensors"
    damage(last, moment)
    with pytest.raises(CheckpointError):
        read_checkpoint(last)
    done = project.run("fit", "--resume", "run", "--target", "reference")
    assert done.returncode == 0, done.stderr
    assert "last.safetensors is damaged" in done.stderr
    assert "going on from the checkpoint before it instead" in done.stderr
    assert outcome(project.folder / "run") == outcome(project.folder / "quiet")


def test_a_second_process_is_refused_while_a_run_is_trained(project):
    configure(project, epochs=5000)
    process = project.start("fit", "config.yaml", "--target", "reference", "--run-dir", "run", "--quiet")
    try:
        deadline = time.monotonic() + 60
        while not (project.folder / "run" / "metrics.jsonl").exists() and time.monotonic() < deadline:
            time.sleep(0.01)
        refused = project.run("fit", "--resume", "run", "--target", "reference")
        assert refused.returncode == 6
        assert f"run is being trained by process {process.pid} on " in refused.stderr
        assert "`trainer fit config.yaml --target reference --run-dir run --quiet`" in refused.stderr
        # Looking is free.
        assert project.run("show", "run").returncode == 0
        assert project.run("evaluate", "run", "--target", "reference").returncode == 0
    finally:
        process.kill()
        process.communicate()
    done = project.run("fit", "--resume", "run", "--target", "reference", "--limit-steps", "5", "--quiet")
    assert done.returncode == 0, done.stderr


def test_two_ctrl_c_stop_at_once_and_leave_a_checkpoint_to_go_on_from(project):
    configure(project, epochs=12)
    assert project.fit("--run-dir", "quiet", "--quiet").returncode == 0
    process = project.start("fit", "config.yaml", "--target", "reference", "--run-dir", "run", "--quiet")
    deadline = time.monotonic() + 60
    last = project.folder / "run" / "metrics.jsonl"
    while not (last.exists() and last.stat().st_size) and time.monotonic() < deadline:
        time.sleep(0.002)
    process.send_signal(signal.SIGINT)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130, errors
    assert "Traceback" not in errors
    read_checkpoint(project.folder / "run" / "checkpoints" / "last.safetensors")
    done = project.run("fit", "--resume", "run", "--target", "reference")
    assert done.returncode == 0, done.stderr
    assert outcome(project.folder / "run") == outcome(project.folder / "quiet")
