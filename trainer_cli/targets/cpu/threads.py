"""Threads: the machine and the speed of past calls in, the number of threads for the next call out.

Any number gives the same bits, so it may change from call to call. On a machine that others use too, a thread that
has lost its core holds up all others at every barrier, and one thread may then be the fastest.
"""

from __future__ import annotations

import os
from pathlib import Path

WORK_PER_THREAD = 1_000_000
"""Floating-point operations of a step for which one more thread may pay: about 10 µs of one core, a few barriers."""

TRIAL_INTERVAL = 24
"""Calls after which another number of threads is tried for one call."""

MEMORY = 0.3
"""Weight of the newest call in the remembered speed."""

SHORTEST = 1e-3
"""Seconds below which a call says nothing about speed."""

_QUOTA = Path("/sys/fs/cgroup/cpu.max")


def available_cores() -> int:
    """Cores that this process may use: its affinity, limited by the control group's quota."""
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
    return max(1, cores)


class ThreadChoice:
    """Chooses among 1, 2, 4, … threads up to a limit by the speed that each had."""

    def __init__(self, limit: int) -> None:
        self.candidates = sorted({limit, *(1 << power for power in range(limit.bit_length()) if 1 << power <= limit)})
        self._speed: dict[int, float] = {}
        self._best = limit
        self._calls = 0

    def next(self) -> int:
        """The number for the next call."""
        self._calls += 1
        place = self.candidates.index(self._best)
        neighbours = [n for n in self.candidates[max(0, place - 1) : place + 2] if n != self._best]
        untried = [n for n in neighbours if n not in self._speed]
        if untried and self._best in self._speed:
            return untried[0]
        if neighbours and self._calls % TRIAL_INTERVAL == 0:
            return neighbours[self._calls // TRIAL_INTERVAL % len(neighbours)]
        return self._best

    def observe(self, threads: int, rows: int, seconds: float) -> None:
        """Remember how fast a call was."""
        if seconds < SHORTEST or rows == 0:
            return
        speed, known = rows / seconds, self._speed.get(threads)
        self._speed[threads] = speed if known is None else (1 - MEMORY) * known + MEMORY * speed
        self._best = max(self._speed, key=self._speed.__getitem__)


def thread_limit(operations_per_step: int) -> int:
    """The most threads that a step of this much work can use."""
    return max(1, min(available_cores(), operations_per_step // WORK_PER_THREAD))
