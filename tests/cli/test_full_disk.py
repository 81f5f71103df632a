"""A disk that is full ends a command with exit code 6 and words; what was written before is whole.

Where this process may mount one, a real disk of a few hundred kilobytes fills up; everywhere, writes are made to fail.
"""

from __future__ import annotations

import json
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.conftest import make
from trainer_cli.training.checkpoints import read_checkpoint

ROOT = Path(__file__).parents[2]
FAILING = """
import errno, os, sys
from trainer_cli.cli.main import main
left = int(sys.argv.pop(1))
real = os.fsync
def fsync(descriptor):
    global left
    left -= 1
    if left < 0:
        raise OSError(errno.ENOSPC, "No space left on device")
    real(descriptor)
os.fsync = fsync
main()
"""
FIT = ("fit", "config.yaml", "--target", "reference", "--run-dir")
MOUNTED = """
mkdir disk && mount -t tmpfs -o size=240k tmpfs disk && head -c 120000 /dev/zero > disk/ballast || exit 1
{fit} disk/run 2> full.txt; echo $? > full.code
cp -r disk/run kept
rm disk/ballast
{resume} disk/run --progress none 2> resumed.txt; echo $? > resumed.code
cp -r disk/run run
"""


def weights(run: Path) -> dict:
    state = read_checkpoint(run / "checkpoints" / "last.safetensors")
    return {name: value.tobytes() for name, value in state.tensors().items()}


def may_mount() -> bool:
    if not shutil.which("unshare"):
        return False
    command = ["unshare", "-m", "mount", "-t", "tmpfs", "tmpfs", "/mnt"]
    return subprocess.run(command, capture_output=True).returncode == 0


@pytest.fixture(scope="module")
def longer(tmp_path_factory):
    """A project in which every epoch leaves a file of its own, with a run `quiet` that had room enough."""
    made = make(tmp_path_factory.mktemp("longer"))
    made.configure(fit={"epochs": 12, "batch_size": 16, "checkpoint": {"every_epochs": 1, "every_minutes": 1e-9}})
    assert made.fit("--run-dir", "quiet", "--quiet").returncode == 0
    return made


@pytest.mark.skipif(not may_mount(), reason="no file system can be mounted here")
def test_a_run_on_a_full_disk_ends_and_goes_on_when_there_is_room(longer):
    folder = longer.folder
    trainer = f"PYTHONPATH={shlex.quote(str(ROOT))} {shlex.quote(sys.executable)} -m trainer_cli"
    script = MOUNTED.format(
        fit=f"{trainer} {' '.join(FIT)}", resume=f"{trainer} fit config.yaml --target reference --resume"
    )
    subprocess.run(["unshare", "-m", "sh", "-c", script], cwd=folder, capture_output=True, check=True, timeout=300)
    told = (folder / "full.txt").read_text()
    assert (folder / "full.code").read_text() == "6\n", told
    assert "No space left on device" in told
    assert "go on with: trainer fit --resume disk/run" in told
    assert "Traceback" not in told
    for path in (folder / "kept" / "checkpoints").glob("*.safetensors"):
        read_checkpoint(path)
    assert 0 < read_checkpoint(folder / "kept/checkpoints/last.safetensors").counters.epoch < 12
    assert (folder / "resumed.code").read_text() == "0\n", (folder / "resumed.txt").read_text()
    assert weights(folder / "run") == weights(folder / "quiet")


@pytest.mark.parametrize("writes", [0, 1, 3, 4, 9, 12])
def test_any_write_that_fails_leaves_the_checkpoint_before_it(longer, writes):
    folder = longer.folder
    run = folder / f"after-{writes}"
    done = longer.run_script(FAILING, str(writes), *FIT, run.name, "--quiet")
    assert done.returncode == 6, done.stderr
    assert "No space left on device" in done.stderr
    assert "Traceback" not in done.stderr
    for path in (run / "checkpoints").glob("*.safetensors"):
        read_checkpoint(path)
    assert not list(folder.rglob("*.part"))
    # Where not even the manifest could be written there is no run: the folder is as good as empty.
    done = longer.fit("--resume" if writes else "--run-dir", run.name, "--quiet")
    assert done.returncode == 0, done.stderr
    assert weights(run) == weights(folder / "quiet")
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    assert [line["epoch"] for line in lines] == list(range(1, 13))


@pytest.mark.parametrize(
    "arguments",
    [
        ["predict", "run", "--target", "reference", "--output", "new.csv"],
        ["report", "run", "--target", "reference", "--output", "new.csv"],
        ["export", "run", "--to", "new.npz"],
        ["init", "flowers.csv", "--target", "colour", "--output", "new.yaml"],
        ["evaluate", "run", "--target", "reference", "--markdown", "new.csv"],
    ],
    ids=lambda arguments: arguments[0],
)
def test_other_commands_leave_no_part_of_a_file(trained, arguments):
    done = trained.run_script(FAILING, "0", *arguments)
    assert done.returncode == 6, done.stderr
    assert "cannot write new." in done.stderr
    assert "No space left on device" in done.stderr
    assert not [path for path in trained.folder.iterdir() if "new" in path.name]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is always full")
@pytest.mark.parametrize("arguments", ["list layers", "predict run --target reference", "show run", "compare run run"])
def test_results_that_cannot_be_written_are_no_bug_of_the_program(trained, arguments):
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "trainer_cli", *arguments.split()],
            cwd=trained.folder,
            env=trained.environment(),
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            timeout=120,
        )
    assert done.returncode == 6, done.stderr
    assert done.stderr.splitlines()[-1] == "error: cannot write the results: No space left on device"
