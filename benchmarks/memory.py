"""Workloads in; the most memory that `trainer fit` held, beside the data, the arena and what is asked for, out."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path

from contestants import our_environment
from projects import TRAINER, trainer, write_project

PROGRAM = 150e6
"""Bytes for the interpreter, its libraries and the network."""

FACTOR = 1.5


def measure(workload, say=print):
    """A workload as a record of bytes."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        config, data = write_project(workload, folder)
        arena = json.loads(trainer("compile", config, "--json", folder=folder))["description"]["arena_bytes"]
        trainer("fit", config, "--quiet", "--dry-run", folder=folder)  # what is compiled once is not measured
        peak = peak_memory([*TRAINER, "fit", str(config), "--quiet"], folder)
    allowed = FACTOR * (data + arena + PROGRAM)
    result = {"peak": peak, "data": data, "arena": arena, "allowed": allowed, "reached": peak <= allowed}
    say(f"{workload.name}: {peak / 1e6:,.0f} MB, at most {allowed / 1e6:,.0f}{'' if peak <= allowed else ': missed'}")
    return result


_WATCH = """
import os, subprocess, sys
process = subprocess.Popen(sys.argv[1:], stdout=subprocess.DEVNULL)
_, status, usage = os.wait4(process.pid, 0)
process.returncode = os.waitstatus_to_exitcode(status)
print(usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024))
sys.exit(process.returncode)
"""
"""On Linux the largest size of a process begins with that of its parent, so the parent must be small."""


def peak_memory(command, folder):
    """The largest resident size of a command in bytes. Raises CalledProcessError if it fails."""
    watch = [sys.executable, "-c", _WATCH, *command]
    done = subprocess.run(watch, cwd=folder, env=our_environment(), stdout=subprocess.PIPE, check=True)
    return int(done.stdout)
