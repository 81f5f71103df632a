"""Threads: the machine and the speed of past calls in, the number of threads for the next call out.

Any number gives the same bits, so it may change from call to call. On a machine that others use too, a thread that
has lost its core holds up all others at every barrier, and one thread may then be the fastest.
"""

from __future__ import annotations

import ctypes
import os
from collections import deque
from collections.abc import Sequence
from pathlib import Path

WORK_PER_THREAD = 600_000
"""Floating-point operations of a step for which one more thread may pay: 784-128-10 with a single row, 1.6 million,
takes 0.6 of the time on two threads, 64-32-10 with 128 rows, 1.4 million, as long as on one."""

TRIAL_INTERVAL = 24
"""Calls after which another number of threads is tried for one call."""

HOPELESS_INTERVAL = 240
"""The same for a number that was far slower; it doubles with every trial up to this."""

FIRST_INTERVAL = 4
"""The same for more threads, while fewer than there are cores are the best."""

REMEMBERED = 2
"""Calls with a number of threads whose speeds are remembered."""

SHORTEST = 1e-3
"""Seconds below which a call says nothing about speed."""

HOPELESS = 0.7
"""Share of the best speed below which a number of threads is far slower."""

_QUOTA = Path("/sys/fs/cgroup/cpu.max")

_BUDGETS = ("SLURM_CPUS_PER_TASK", "OMP_NUM_THREADS")
"""Variables by which a batch system or a user says how many threads a program may have."""


def budget() -> tuple[str, int] | None:
    """The variable that allows the fewest threads, and their number; None if none says anything."""
    given = [(name, os.environ.get(name, "").partition(",")[0].strip()) for name in _BUDGETS]
    found = [(name, int(words)) for name, words in given if words.isdigit() and int(words) > 0]
    return min(found, key=lambda pair: pair[1], default=None)


def available_cores() -> int:
    """Cores that this process may use: its affinity, limited by the control group's quota and by `budget`."""
    try:
        cores = len(os.sched_getaffinity(0))
    except AttributeError:
        cores = os.cpu_count() or 1
    try:
        quota, period = _QUOTA.read_text(encoding="ascii").split()
        if quota != "max":
            cores = min(cores, max(1, int(quota) // int(period)))
    except (OSError, ValueError):
        pass
    allowed = budget()
    return max(1, min(cores, allowed[1]) if allowed else cores)


class ThreadChoice:
    """Chooses among 1, 2, 4, … threads up to a limit by the speed that each had, the best of its last few calls.

    The first call, with the limit or as many as there are `cores`, is not counted: it touches memory for the first
    time. The next ones try fewer, and more if the limit allows. From then on its neighbours are tried now and then, and
    at once where the number in use has become slower than one of them once was. Only a call that has just been measured
    takes the place of the best: what was fast an hour ago may be slow now as well. A neighbour that loses is tried ever
    more rarely; while fewer threads than cores are the best, which other programs may feign, more are tried soon again.
    """

    def __init__(self, limit: int, cores: int | None = None) -> None:
        self.candidates = sorted({limit, *(1 << power for power in range(limit.bit_length()) if 1 << power <= limit)})
        self._speeds: dict[int, deque[float]] = {number: deque(maxlen=REMEMBERED) for number in self.candidates}
        fitting = [number for number in self.candidates if number <= (cores or limit)]
        self._usual = self._best = max(fitting, default=1)
        self._calls = 0
        self._intervals = {number: self._first_interval(number) for number in self.candidates}
        # The call from which on a number is tried: fewer at the second one, more at the fourth.
        self._due = {number: 2 if number < self._usual else FIRST_INTERVAL for number in self.candidates}

    def next(self) -> int:
        """The number for the next call."""
        self._calls += 1
        if self._calls == 1:
            return self._best
        place = self.candidates.index(self._best)
        neighbours = [number for number in self.candidates[max(0, place - 1) : place + 2] if number != self._best]
        number = next((number for number in neighbours if self._is_due(number)), self._best)
        if number != self._best:
            self._due[number] = self._calls + self._intervals[number]
        return number

    def observe(self, threads: int, rows: int, seconds: float) -> None:
        """Remember how fast a call was."""
        if seconds < SHORTEST or rows == 0 or self._calls == 1:
            return
        speed = rows / seconds
        if threads == self._best:
            self._speeds[threads].append(speed)
            return
        known = len(self._speeds[self._best]) > 0
        # What it was like before no longer counts.
        self._speeds[threads].clear()
        self._speeds[threads].append(speed)
        if known and speed > self._speed(self._best):
            self._best = threads
            self._intervals = {number: self._first_interval(number) for number in self.candidates}
            self._due = {number: self._calls + interval for number, interval in self._intervals.items()}
        elif known:
            most = HOPELESS_INTERVAL if speed < HOPELESS * self._speed(self._best) else TRIAL_INTERVAL
            self._intervals[threads] = min(2 * self._intervals[threads], most)

    def _is_due(self, number: int) -> bool:
        """Whether it is time to try a number: at its turn, or because the best is no longer as fast as it was."""
        measured = len(self._speeds[self._best]) == REMEMBERED
        doubtful = measured and self._speed(number) > self._speed(self._best)
        asked = self._due[number] - self._intervals[number]
        return self._calls >= self._due[number] or (doubtful and self._calls >= asked + FIRST_INTERVAL)

    def _first_interval(self, number: int) -> int:
        """Calls to the next trial of a number that has lost for the first time."""
        return FIRST_INTERVAL if self._best < number <= self._usual else TRIAL_INTERVAL

    def _speed(self, number: int) -> float:
        return max(self._speeds[number], default=0.0)


def spread(cores: Sequence[int], thread: int) -> None:
    """Move the calling thread to a core of its own and leave it free to be moved on from there.

    `cores` are those that the threads of a call may use, thread 0's first. New threads often begin where their parent
    runs, and because a thread that waits gives its core away now and then, a scheduler that saves cores may leave all
    of them there: two threads then take longer than one.
    """
    if not cores:
        return
    try:
        os.sched_setaffinity(0, {cores[thread % len(cores)]})
        os.sched_setaffinity(0, cores)
    except OSError:
        pass


def cores_from_here() -> list[int]:
    """The cores that this thread may use, from the one on which it runs; none where the system does not tell."""
    try:
        cores = sorted(os.sched_getaffinity(0))
        here = ctypes.CDLL(None).sched_getcpu()
    except (AttributeError, OSError):
        return []
    place = cores.index(here) if here in cores else 0
    return cores[place:] + cores[:place]


def thread_limit(operations_per_step: int) -> int:
    """The most threads that a step of this much work can use."""
    return max(1, min(available_cores(), operations_per_step // WORK_PER_THREAD))
