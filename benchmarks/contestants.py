"""Names of frameworks and interpreters in; processes that train in turn, and the medians of what they measured, out.

Every contestant has a process of its own that lives through all rounds, and in every round each has one turn while the
others wait: a busy moment of the machine hits all alike.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import NamedTuple

from peers import NEEDS

FOLDER = Path(__file__).parent
ROOT = FOLDER.parent
WARM_UP = 2
OURS = "trainer"
PEAK = "peak"

SETTLE = 0.25
"""Seconds before a turn. Threads of pools spin for a while before they sleep, and would take a core from whoever is
next: OpenMP's for up to 0.2 s."""

_PROBE = """
import importlib.metadata, importlib.util, json, sys
packages = importlib.metadata.packages_distributions()
found = {}
for name, needs in json.loads(sys.argv[1]).items():
    if all(importlib.util.find_spec(need) for need in needs):
        found[name] = {need: importlib.metadata.version(packages[need][0]) for need in needs}
print(json.dumps(found))
"""


class Peer(NamedTuple):
    """Where a framework is: the interpreter that has it, and the versions of what it is made of."""

    python: str
    versions: dict[str, str]


def cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def thread_counts() -> list[int]:
    """Numbers of threads that everyone tries."""
    return sorted({1, min(2, cores()), cores()})


def apart():
    """The environment of a peer: nothing of ours is on its path."""
    return {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}


def find_peers(interpreters) -> dict[str, Peer]:
    """The first interpreter that has each framework; frameworks that none has are left out.

    Raises SystemExit for what is no interpreter.
    """
    found: dict[str, Peer] = {}
    needs = json.dumps({name: each for name, each in NEEDS.items() if name != OURS})
    for python in interpreters:
        command = [python, "-c", _PROBE, needs]
        try:
            done = subprocess.run(command, capture_output=True, text=True, check=True, env=apart())
        except (OSError, subprocess.CalledProcessError) as error:
            raise SystemExit(f"--peers {python}: {getattr(error, 'stderr', None) or error}") from error
        for name, versions in json.loads(done.stdout).items():
            found.setdefault(name, Peer(python, versions))
    return found


class Failed(Exception):
    """A contestant's process said why it cannot go on, or ended."""


class Process:
    """The process of a contestant, and what it answered to its turns since it last began."""

    def __init__(self, name, threads, python=sys.executable):
        self.name, self.threads = name, threads
        self.turns: list[dict] = []
        self.facts: dict = {}
        self._errors = tempfile.TemporaryFile(mode="w+")  # noqa: SIM115 (closed by `close`)
        self._process = subprocess.Popen(
            [python, str(FOLDER / "subject.py"), name, str(threads)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
            env=our_environment() if name in (OURS, PEAK) else apart(),
        )

    def ask(self, **request):
        """Send a request and wait for the answer. Raises Failed."""
        try:
            self._process.stdin.write(json.dumps(request) + "\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            pass  # the reason is among the errors
        line = self._process.stdout.readline()
        if not line:
            self._errors.seek(0)
            raise Failed((self._errors.read().strip().splitlines() or ["it ended without a word"])[-1])
        answer = json.loads(line)
        if "error" in answer:
            raise Failed(answer["error"])
        return answer

    def begin(self, workload):
        self.turns.clear()
        self.facts = self.ask(begin=asdict(workload))

    def turn(self, seconds):
        self.turns.append(self.ask(turn=seconds))

    def close(self):
        self._process.stdin.close()
        self._process.wait()
        self._process.stdout.close()
        self._errors.close()

    def median(self, key):
        """Of all turns behind the warm-up."""
        return statistics.median(turn[key] for turn in self.turns[WARM_UP:])


def our_environment():
    """Our code is found from a checkout too, and its bytecode is kept, as it is after an installation."""
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    kept = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
    return {**kept, "PYTHONPATH": path}


@contextmanager
def processes(wanted, peers):
    """Processes for pairs of names and threads."""
    running: list[Process] = []
    try:
        for name, threads in wanted:
            running.append(Process(name, threads, peers[name].python if name in peers else sys.executable))
        yield running
    finally:
        for process in running:
            process.close()


def race(workload, running, rounds, seconds, say=print):
    """Let processes train a workload in turn. Gives those that did; the others said why not."""
    racing = []
    for process in running:
        try:
            process.begin(workload)
            racing.append(process)
        except Failed as failure:
            say(f"  {process.name}, {process.threads} threads: {failure}")
    for _ in range(WARM_UP + rounds):
        for process in list(racing):
            time.sleep(SETTLE)
            try:
                process.turn(seconds)
            except Failed as failure:
                say(f"  {process.name}, {process.threads} threads: {failure}")
                racing.remove(process)
    return racing
