"""Budgets and speeds in, the number of threads of the next call out."""

from __future__ import annotations

import ctypes
import threading
from collections import Counter

import pytest

from trainer_cli.targets.cpu import threads
from trainer_cli.targets.cpu.threads import TRIAL_INTERVAL, ThreadChoice


@pytest.fixture(autouse=True)
def no_budget(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SLURM_CPUS_PER_TASK", "OMP_NUM_THREADS"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize(
    ("variables", "found"),
    [
        ({}, None),
        ({"SLURM_CPUS_PER_TASK": "3"}, ("SLURM_CPUS_PER_TASK", 3)),
        ({"SLURM_CPUS_PER_TASK": "3", "OMP_NUM_THREADS": "2,1"}, ("OMP_NUM_THREADS", 2)),
        ({"SLURM_CPUS_PER_TASK": "many", "OMP_NUM_THREADS": "0"}, None),
    ],
)
def test_a_budget_is_the_least_that_a_variable_allows(
    variables: dict[str, str], found: tuple[str, int] | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, words in variables.items():
        monkeypatch.setenv(name, words)
    assert threads.budget() == found


def test_the_budget_limits_the_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    assert threads.available_cores() == 1
    monkeypatch.setenv("OMP_NUM_THREADS", "100000")
    assert threads.available_cores() <= (threads.os.cpu_count() or 1)


@pytest.mark.parametrize(("limit", "best"), [(4, 2), (4, 1), (4, 4), (2, 1), (3, 3), (1, 1)])
def test_most_calls_go_to_the_fastest_number(limit: int, best: int) -> None:
    choice = ThreadChoice(limit)
    used: Counter[int] = Counter()
    for _ in range(20 * TRIAL_INTERVAL):
        number = choice.next()
        used[number] += 1
        choice.observe(number, 1000, 0.01 * (1 + abs(number - best)))
    assert max(used) <= limit
    assert used[best] > 0.9 * sum(used.values())


def test_what_was_hopeless_is_tried_rarely() -> None:
    choice = ThreadChoice(2)
    used: Counter[int] = Counter()
    for _ in range(100 * TRIAL_INTERVAL):
        number = choice.next()
        used[number] += 1
        choice.observe(number, 1000, 0.01 if number == 1 else 0.05)
    assert 0 < used[2] <= 20


def test_threads_begin_on_cores_of_their_own_and_may_leave_them() -> None:
    cores = threads.cores_from_here()
    if not cores:
        assert not hasattr(threads.os, "sched_setaffinity") or not hasattr(ctypes.CDLL(None), "sched_getcpu")
        return
    allowed = threads.os.sched_getaffinity(0)
    assert sorted(cores) == sorted(allowed)
    seen: list[tuple[int, set[int]]] = []

    def work(thread: int) -> None:
        threads.spread(cores, thread)
        # Read at once: from here on the scheduler may move it.
        seen.append((ctypes.CDLL(None).sched_getcpu(), threads.os.sched_getaffinity(0)))

    for thread in range(1, 4):
        one = threading.Thread(target=work, args=(thread,))
        one.start()
        one.join()
    assert {core for core, _ in seen} <= allowed
    assert all(mask == allowed for _, mask in seen)
    if len(cores) > 1:
        # Of three threads one at least is where it was sent, whatever else the machine does.
        assert any(core == cores[thread % len(cores)] for thread, (core, _) in enumerate(seen, 1))


def test_cores_that_are_no_longer_allowed_are_no_error() -> None:
    threads.spread([1 << 12], 1)
    threads.spread([], 1)


@pytest.mark.parametrize("disturbed", [set(), {1}, {2}, {3}, {1, 3}])
def test_a_disturbed_call_at_the_beginning_decides_nothing(disturbed: set[int]) -> None:
    choice = ThreadChoice(2)
    used: list[int] = []
    for call in range(1, 31):
        number = choice.next()
        used.append(number)
        seconds = 0.01 / number * (20 if call in disturbed else 1)
        choice.observe(number, 1000, seconds)
    assert used[:3] == [2, 1, 2]
    assert used[3:].count(2) >= (26 if 3 not in disturbed else 20)


def test_a_machine_that_has_become_slower_for_all_keeps_its_threads() -> None:
    """One trial tells that fewer threads are slower now too, although they once were faster than that."""
    choice = ThreadChoice(2)
    used = []
    for call in range(200):
        used.append(choice.next())
        slower = 3 if call >= 50 else 1
        choice.observe(used[-1], 1000, slower * (0.01 if used[-1] == 2 else 0.018))
    assert used[52:].count(1) <= 6


def test_threads_return_soon_after_others_were_in_the_way() -> None:
    choice = ThreadChoice(2)
    used = []
    for call in range(300):
        used.append(choice.next())
        # For a while the second core is another program's.
        seconds = 0.018 if used[-1] == 1 else 0.03 if 100 <= call < 150 else 0.01
        choice.observe(used[-1], 1000, seconds)
    assert used[105:150].count(1) >= 35
    assert used[180:].count(2) >= 110


def test_more_threads_than_cores_are_tried_but_not_at_first() -> None:
    choice = ThreadChoice(4, cores=2)
    used = []
    for _ in range(100):
        used.append(choice.next())
        choice.observe(used[-1], 1000, {1: 0.02, 2: 0.01, 4: 0.016}[used[-1]])
    assert used[:4] == [2, 1, 2, 4]
    assert used.count(2) > 90
    assert ThreadChoice(2, cores=8).next() == 2


def test_calls_too_short_to_measure_stay_with_the_limit() -> None:
    choice = ThreadChoice(2)
    used = []
    for _ in range(100):
        used.append(choice.next())
        choice.observe(used[-1], 10, 1e-5)
    assert used.count(2) > 80
