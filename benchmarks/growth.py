"""Batches and widths in; what a step of a dense network takes as they grow, beside PyTorch and JAX, and cliffs, out.

A cliff is a place where the cost per unit of work (a row of a batch, an operation of a width) jumps although the work
has only grown: it should fall or stay.
"""

from __future__ import annotations

import itertools

from contestants import OURS, processes, race, thread_counts
from workloads import dense_workload

JUMP = 1.5
"""A cost per unit of work that grows by more than this from one point to the next is a cliff."""

PEERS = ("PyTorch", "JAX")
_BATCHES = [1 << power for power in range(13)]
_OPERATIONS = 5e8
"""Of an epoch: what decides the steps, within bounds."""


def _steps(units, batch):
    each = 6 * batch * sum(a * b for a, b in itertools.pairwise(units))
    return int(min(200, max(2, _OPERATIONS // each)))


def _point(sweep, number, units, batch):
    return number, dense_workload(f"{sweep}-{number}", units, batch, _steps(units, batch))


def _widths(numbers):
    return [_point("width", n, (64, n, n, 10), 64) for n in numbers]


SWEEPS = {
    "batch": (
        "784-128-10 against the batch",
        "batch",
        [_point("batch", n, (784, 128, 10), n) for n in _BATCHES],
    ),
    "batch-odd": (
        "100-37-11-3 against the batch",
        "batch",
        [_point("batch", n, (100, 37, 11, 3), n) for n in (1, 3, 5, 9, 17, 33, 65, 129, 257, 513, 1025, 2049, 4095)],
    ),
    "width": (
        "64-width-width-10 against the width, batch 64",
        "width",
        _widths([1 << power for power in range(4, 13)]),
    ),
    "width-odd": (
        "64-width-width-10 against odd widths, batch 64",
        "width",
        _widths((17, 37, 67, 131, 261, 517, 1027, 2053, 4093)),
    ),
}
"""Sweeps by name: title, what grows, and the points with their workloads."""


def measure(name, peers, rounds, seconds, limit=None, say=print):
    """A sweep as a record: for each contestant its figures by point, peers with their best number of threads.

    Points above `limit` are left out.
    """
    title, what, points = SWEEPS[name]
    points = [point for point in points if limit is None or point[0] <= limit]
    wanted = [(OURS, 0)] + [(peer, threads) for peer in PEERS if peer in peers for threads in thread_counts()]
    found: dict[str, dict[str, float]] = {}
    operations = {}
    with processes(wanted, peers) as running:
        for number, workload in points:
            for process in race(workload, running, rounds, seconds, say):
                own = found.setdefault(process.name, {})
                own[str(number)] = min(own.get(str(number), float("inf")), process.median("microseconds"))
                if process.name == OURS:
                    operations[str(number)] = process.facts["operations_per_step"]
            say(f"  {workload.title}: " + ", ".join(f"{who} {own[str(number)]:,.1f} µs" for who, own in found.items()))
    result = {"title": title, "what": what, "operations": operations, "contestants": found}
    for where in cliffs(result):
        say(f"  cliff: {where}")
    return result


def unit_costs(result):
    """Of ours, by point: microseconds per row of the batch, or per million operations."""
    costs = {}
    for number, value in result["contestants"].get(OURS, {}).items():
        units = int(number) if result["what"] == "batch" else result["operations"][number] / 1e6
        costs[int(number)] = value / units
    return dict(sorted(costs.items()))


def cliffs(result):
    """Where the cost per unit of work jumps, in words."""
    costs = list(unit_costs(result).items())
    return [
        f"{result['what']} {before} to {after}: {high / low:.2f} × per unit of work"
        for (before, low), (after, high) in itertools.pairwise(costs)
        if high > JUMP * low
    ]
