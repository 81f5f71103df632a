"""Numbers of threads in; the microseconds of a barrier as every plan has it out.

    python benchmarks/barrier.py [--rounds N]

The program of a step is nothing but barriers, and the runtime of all plans runs it: what is measured includes reading
the instruction. A single thread waits for nobody, and reads the instruction alone. With more threads than cores, those
that wait must give their core away.
"""

from __future__ import annotations

import argparse
import ctypes
import statistics
import threading
import time

import numpy as np
from contestants import cores

from trainer_cli.targets.cpu.aligned import aligned_bytes
from trainer_cli.targets.cpu.build import addresses, build
from trainer_cli.targets.cpu.cache import cache_folder, unit_digest
from trainer_cli.targets.cpu.plan_source import RUNTIME
from trainer_cli.targets.cpu.program import Program
from trainer_cli.targets.cpu.threads import cores_from_here, spread
from trainer_cli.targets.cpu.words import Word

REACH = 1.0
"""The most microseconds that are asked for, where every thread has a core."""

BARRIERS = 100
"""Of a step: enough that what a step takes besides does not count."""

CALLS = 20
"""Calls of each number of threads for each round."""

CALL = 4e-3
"""Seconds that a call lasts at least, against which it does not count that threads do not begin at the same time."""

_MEMORY = 64
"""Words of a thread: the table's, and two cache lines apart from the next."""


class Barriers:
    """A program of barriers and what it works on."""

    def __init__(self):
        digest = unit_digest(RUNTIME)
        build({digest: RUNTIME}, cache_folder())
        words = (ctypes.c_int64, ctypes.c_int64, ctypes.c_int64, ctypes.c_void_p)
        self._entry = ctypes.CFUNCTYPE(None, *words)(addresses({digest: ("run",)})[digest, "run"])
        program = Program()
        for _ in range(BARRIERS):
            program.wait()
        self._program = np.array(program.words, dtype=np.int64)
        self._arrivals, self._status = (aligned_bytes(64).view(np.int64) for _ in range(2))

    def microseconds(self, threads, steps):
        """Microseconds of a barrier, as thread 0 sees them, over so many steps on so many threads."""
        self._arrivals[:] = 0
        self._status[:] = 0
        memory = aligned_bytes(threads * _MEMORY * 8)
        table = np.zeros(len(Word), dtype=np.int64)
        table[Word.BARRIER], table[Word.STATUS] = self._arrivals.ctypes.data, self._status.ctypes.data
        table[Word.PROGRAM], table[Word.PROGRAM_END] = self._program.ctypes.data, len(self._program)
        table[Word.MEMORY], table[Word.MEMORY_SIZE] = memory.ctypes.data, _MEMORY
        table[Word.TABLE_SIZE], table[Word.COUNT], table[Word.BATCH] = len(table), steps, 1
        together = threading.Barrier(threads)
        places = cores_from_here() if threads > 1 else []
        address = table.ctypes.data

        def work(thread):
            spread(places, thread)
            together.wait()
            self._entry(thread, threads, 0, address)

        others = [threading.Thread(target=work, args=(thread,), daemon=True) for thread in range(1, threads)]
        for other in others:
            other.start()
        together.wait()
        began = time.perf_counter()
        self._entry(0, threads, 0, address)
        passed = time.perf_counter() - began
        for other in others:
            other.join()
        return passed / (steps * BARRIERS) * 1e6


def thread_numbers():
    """One, two, as many as cores, and twice as many."""
    return sorted({1, 2, cores(), 2 * cores()})


def measure(rounds, say=print):
    """A record with the median and the least over calls of each number of threads, which take turns."""
    barriers = Barriers()
    steps = {threads: _steps(barriers, threads) for threads in thread_numbers()}
    found = {threads: [] for threads in steps}
    for _ in range(CALLS * rounds):
        for threads, own in found.items():
            own.append(barriers.microseconds(threads, steps[threads]))
    threads = [
        {"threads": number, "median": statistics.median(own), "least": min(own), "barriers": steps[number] * BARRIERS}
        for number, own in found.items()
    ]
    for own in threads:
        say(f"  {label(own)}: {own['median']:.3f} µs, least {own['least']:.3f} µs")
    return {"cores": cores(), "calls": CALLS * rounds, "reach": REACH, "threads": threads}


def _steps(barriers, threads):
    """The steps, a power of two, that fill a call, even one in which every thread has its core."""
    steps = 1
    while min(barriers.microseconds(threads, steps) for _ in range(3)) * steps * BARRIERS < CALL * 1e6:
        steps *= 2
    return steps


def label(own):
    return f"{own['threads']} thread{'s' if own['threads'] > 1 else ''}"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=9)
    measure(parser.parse_args().rounds)


if __name__ == "__main__":
    main()
