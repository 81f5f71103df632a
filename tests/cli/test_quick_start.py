"""What is left out of libraries while they are imported: it saves what it says, and they work as before."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

FRAMES = """
import json, resource
from trainer_cli.cli import main

def leaf(a=1):
    return (a, a, a, a, a, a, a, a, a, a, a, a, a, a, a, a, a, a, a, a, a, a, a, a, a, a, a, a, a, a, a, a)

def faults(depth):
    if depth:
        return faults(depth - 1)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(500):
        leaf()
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

def most():
    print(json.dumps(max(map(faults, range(400)))))
"""
NUMPY = """
import sys
from trainer_cli.lazy import import_numpy
import_numpy()
assert not [name for name in sys.modules if name.startswith("numpy._core._add_newdocs")]
import numpy as np
assert not np.array.__doc__
from numpy.typing import NDArray
assert str(NDArray[np.float32]).startswith("numpy.ndarray")
found = np.linalg.svd(np.eye(3))
assert type(found).__name__ == "SVDResult" and found.S.sum() == 3
np.testing.assert_allclose(np.ma.masked_array([1, 2], [True, False]).sum(), 2)
"""
MODULES = """
import sys
from trainer_cli.cli import quick_start
quick_start.leave_out_searches()
import pickle, secrets
assert "random" not in sys.modules and "_pickle" not in sys.modules
from secrets import compare_digest, token_hex
assert compare_digest("a", "a") and len(secrets.token_hex(4)) == 8
assert pickle.loads(pickle.dumps([1])) == [1]
assert sys.modules["pickle"].Pickler is pickle.Pickler
class Own(pickle.Pickler):
    pass
import multiprocessing
"""


def run(script: str, root) -> str:
    done = subprocess.run([sys.executable, "-c", script], cwd=root, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.skipif(sys.platform != "linux", reason="page faults are counted")
def test_no_call_asks_for_memory_for_its_frame(root):
    if json.loads(run(f"{FRAMES}\nmost()", root)) < 400:
        pytest.skip("this Python keeps its memory for frames")
    assert json.loads(run(f"{FRAMES}\nmain.main = most\nmain.start()", root)) < 100


@pytest.mark.parametrize("script", [NUMPY, MODULES], ids=["numpy", "modules"])
def test_libraries_work_as_before(script, root):
    run(script, root)


def test_a_fit_takes_libraries_as_they_are_told_to_be(project):
    script = """
import atexit, sys
sys.argv[1:] = ["fit", "config.yaml", "--target", "reference", "--quiet"]
def look():
    import numpy
    print(numpy.array.__doc__)
atexit.register(look)
from trainer_cli.cli.main import start
start()
"""
    done = project.run_script(script)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "None"
