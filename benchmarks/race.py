"""Workloads in; what a step of ours and of every peer takes, beside the arithmetic floor, out.

Figures are microseconds per optimizer step: medians of rounds in which all contestants take turns. Each peer
counts with its best number of threads.
"""

from __future__ import annotations

from contestants import OURS, PEAK, cores, processes, race, thread_counts
from peers import suits

CROWDED = 1.3
"""The most that twice as many threads as cores may take, in times of as many threads as cores."""

MISMATCH = 0.01
"""Largest relative difference of the numbers of parameters: PyTorch's LSTM has a second bias."""


def measure(workload, peers, rounds, seconds, say=print):
    """One workload as a record: of every contestant its figures, the floor, and the ratio to the best peer."""
    everyone = [(OURS, threads) for threads in (*thread_counts(), 0, 2 * cores())]
    everyone += [(name, threads) for name in peers if suits(name, workload) for threads in thread_counts()]
    say(f"{workload.name}: {workload.title}")
    with processes([*everyone, (PEAK, cores())], peers) as running:
        done = race(workload, running, rounds, seconds, say)
        peaks = [process for process in done if process.name == PEAK]
        peak = max(turn["peak"] for turn in peaks[0].turns)
        contestants = [record(process) for process in done if process.name != PEAK]
        ours = [process for process in done if process.name == OURS]
        for process in done:
            check(process, ours[0])
    result = {
        "title": workload.title,
        "reach": workload.reach,
        "contestants": contestants,
        "operations": ours[0].facts["operations_per_step"],
        "arena_bytes": ours[0].facts["arena_bytes"],
        "peak": peak,
        "floor": ours[0].facts["operations_per_step"] / peak * 1e6,
    }
    say(line(result))
    return result


def record(process):
    """What is kept of a contestant. `threads` is 0 for as many as it chooses itself."""
    return {
        "name": process.name,
        "threads": process.threads,
        "microseconds": process.median("microseconds"),
        "cpu_microseconds": process.median("cpu_microseconds"),
        "least": min(turn["microseconds"] for turn in process.turns),
        "loss": process.turns[-1]["loss"],
        "parameters": process.facts["parameters"],
    }


def check(process, ours):
    """Raise ValueError for a contestant that trains another network, or none."""
    if process.name == PEAK:
        return
    own, expected = process.facts["parameters"], ours.facts["parameters"]
    if abs(own / expected - 1) > MISMATCH:
        raise ValueError(f"{process.name} trains {own:,} parameters, not {expected:,}")
    if not 0 < process.turns[-1]["loss"] < 2 * process.turns[0]["loss"]:
        raise ValueError(f"{process.name} does not train: its loss is {process.turns[-1]['loss']}")


def best(contestants, name):
    """The fastest number of threads of a contestant that was given one, None if it did not take part."""
    own = [each for each in contestants if each["name"] == name and 0 < each["threads"] <= cores_of(contestants)]
    return min(own, key=lambda each: each["microseconds"], default=None)


def cores_of(contestants):
    """The cores of the machine: the crowded one of ours has twice as many threads."""
    return max(each["threads"] for each in contestants if each["name"] == OURS) // 2


def with_threads(contestants, threads):
    """Ours on so many threads; 0 for as many as it chooses."""
    return next(each for each in contestants if each["name"] == OURS and each["threads"] == threads)


def best_peer(contestants):
    """The fastest peer, None without any."""
    names = dict.fromkeys(each["name"] for each in contestants if each["name"] != OURS)
    found = [best(contestants, name) for name in names]
    return min(found, key=lambda each: each["microseconds"], default=None)


def ratio(result):
    """Ours in times of the best peer, None without one."""
    peer = best_peer(result["contestants"])
    return best(result["contestants"], OURS)["microseconds"] / peer["microseconds"] if peer else None


def crowded(result):
    """Ours on twice as many threads as there are cores, in times of as many."""
    contestants = result["contestants"]
    count = cores_of(contestants)
    alone, many = (with_threads(contestants, threads)["microseconds"] for threads in (count, 2 * count))
    return many / alone


def misses(result):
    """What is not reached, in words."""
    found = []
    reached = ratio(result)
    if reached is not None and result["reach"] is not None and reached > result["reach"]:
        found.append(f"{reached:.2f} of the best peer, asked are {result['reach']:.2f}")
    if crowded(result) > CROWDED:
        found.append(f"{crowded(result):.2f} × with more threads than cores, asked are {CROWDED}")
    return found


def line(result):
    """The outcome on one line."""
    ours, peer, reached = best(result["contestants"], OURS), best_peer(result["contestants"]), ratio(result)
    words = f"  ours {ours['microseconds']:,.1f} µs, floor {result['floor']:,.1f} µs"
    if peer is not None:
        words += f"; {peer['name']} {peer['microseconds']:,.1f} µs: {reached:.2f}, asked {result['reach']:.2f}"
    return "\n".join([words, *(f"  missed: {each}" for each in misses(result))])
