"""Who holds a run's lock is named to others; what a process leaves behind that was killed blocks nobody."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from trainer_cli.errors import ResourceError
from trainer_cli.training import run_lock
from trainer_cli.training.run_lock import RunLock

ROOT = Path(__file__).parents[2]
HOLDER = """
import sys
from pathlib import Path
from trainer_cli.training import run_lock
if "--without" in sys.argv:
    run_lock._locked = lambda descriptor: None
lock = run_lock.RunLock(Path(sys.argv[1]), "trainer fit a.yaml")
print("held", flush=True)
sys.stdin.read()
"""


@pytest.fixture(params=["system", "no locks"])
def without(request, monkeypatch):
    """Flags for the holder; on file systems without locks the file's words decide."""
    if request.param == "system":
        return ()

    def refuse(*_):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr("fcntl.flock", refuse)
    return ("--without",)


def start(folder, *flags):
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(folder), *flags],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout.readline() == "held\n"
    return process


def test_another_process_is_refused_with_the_name_of_the_holder(tmp_path, without):
    process = start(tmp_path, *without)
    try:
        with pytest.raises(ResourceError, match=rf"process {process.pid} on .*`trainer fit a\.yaml`") as caught:
            RunLock(tmp_path)
        assert caught.value.exit_code == 6
    finally:
        process.kill()
        process.communicate()
    assert (tmp_path / ".lock").exists()  # killed, it could not take the file away
    RunLock(tmp_path).release()
    assert not (tmp_path / ".lock").exists()


def test_a_number_that_went_to_another_process_blocks_nobody(tmp_path, without):
    process = start(tmp_path, *without)
    process.kill()
    process.communicate()
    holder = json.loads((tmp_path / ".lock").read_text())
    (tmp_path / ".lock").write_text(json.dumps(holder | {"process": os.getppid()}))
    RunLock(tmp_path).release()


@pytest.mark.parametrize("words", ["", "{", "[1]", '{"process": "x"}', '{"process": 1e99}', "[" * 5000])
def test_damaged_words_block_nobody(tmp_path, without, words):
    (tmp_path / ".lock").write_text(words)
    lock = RunLock(tmp_path)
    lock.release()
    lock.release()


def test_a_lock_that_was_released_between_opening_and_locking_is_taken_again(tmp_path, monkeypatch):
    real, calls = run_lock._locked, []

    def locked(descriptor):
        if not calls:
            (tmp_path / ".lock").unlink()
        calls.append(descriptor)
        return real(descriptor)

    monkeypatch.setattr(run_lock, "_locked", locked)
    lock = RunLock(tmp_path)
    assert len(calls) == 2
    assert (tmp_path / ".lock").exists()
    lock.release()


def test_a_folder_that_cannot_be_written_is_a_resource_error(tmp_path):
    (tmp_path / ".lock").mkdir()
    with pytest.raises(ResourceError, match="cannot write"):
        RunLock(tmp_path)
