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

FIRST_INTERVAL = 4
"""The same at first; it doubles with every trial."""

REMEMBERED = 2
"""Calls with a number of threads whose speeds are remembered."""

SHORTEST = 1e-3
"""Seconds below which a call says nothing about speed."""

HOPELESS = 0.7
"""Share of the best speed below which a number of threads is tried again ten times less often."""

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
    time. The next ones try fewer, and more if the limit allows, and then the same again. While fewer are the best,
    which a disturbed call may feign, more are tried soon again.
    """

    def __init__(self, limit: int, cores: int | None = None) -> None:
        self.candidates = sorted({limit, *(1 << power for power in range(limit.bit_length()) if 1 << power <= limit)})
        self._speeds: dict[int, deque[float]] = {number: deque(maxlen=REMEMBERED) for number in self.candidates}
        self._asked: set[int] = set()
        fitting = [number for number in self.candidates if number <= (cores or limit)]
        self._usual = self._best = max(fitting, default=1)
        self._calls = self._trials = 0
        self._interval = FIRST_INTERVAL
        # The calls at the beginning, which try fewer threads and the limit, count as one trial.
        self._tried_at = FIRST_INTERVAL

    def next(self) -> int:
        """The number for the next call."""
        self._calls += 1
        if self._calls == 1:
            return self._best
        place = self.candidates.index(self._best)
        others = [number for number in self.candidates[max(0, place - 1) : place + 2] if number != self._best]
        untried = [number for number in (*others, self._best) if number not in self._asked]
        number = untried[0] if untried else self._trial(others)
        self._asked.add(number)
        return number

    def _trial(self, others: list[int]) -> int:
        """Another number if it is time to try one, else the best."""
        interval = TRIAL_INTERVAL if self._best >= self._usual else self._interval
        if not others or self._calls - self._tried_at < interval:
            return self._best
        self._tried_at = self._calls
        self._interval = min(2 * self._interval, TRIAL_INTERVAL)
        self._trials += 1
        other = others[self._trials % len(others)]
        known = len(self._speeds[other]) == REMEMBERED
        hopeless = known and self._speed(other) < HOPELESS * self._speed(self._best) and self._trials % 10 != 0
        return self._best if hopeless else other

    def _speed(self, number: int) -> float:
        return max(self._speeds[number], default=0.0)

    def observe(self, threads: int, rows: int, seconds: float) -> None:
        """Remember how fast a call was."""
        if seconds < SHORTEST or rows == 0 or self._calls == 1:
            return
        self._speeds[threads].append(rows / seconds)
        self._best = max(self.candidates, key=lambda number: (self._speed(number), number == self._best))


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
