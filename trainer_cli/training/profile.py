"""A loaded config in; how long each kernel of a training step takes, and its distance to the arithmetic floor, out."""

from __future__ import annotations

import time
from collections import defaultdict, deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from trainer_cli.compiler.cost import Cost, kernel_cost
from trainer_cli.compiler.kernels import Kernel
from trainer_cli.compiler.partition import Partition
from trainer_cli.compiler.program import InputSpec
from trainer_cli.config.load import LoadedConfig
from trainer_cli.config.schema import phase_count
from trainer_cli.errors import ConfigError
from trainer_cli.ir import language as ir
from trainer_cli.ir.graph import Graph
from trainer_cli.ir.primitive import BATCH, Shape
from trainer_cli.lazy import NDArray, np
from trainer_cli.training.epoch import phase_seed, row_order
from trainer_cli.training.preparation import PhasePlan, plan_phases

if TYPE_CHECKING:
    from trainer_cli.targets.cpu.profile import CallTime

ROUNDS = 15
ROUND_SECONDS = 0.04
"""How long a round lasts where the number of steps is not given: short enough to find a moment without other work."""

_PEAK_ROWS, _PEAK_DEPTH, _PEAK_COLUMNS = 128, 128, 32
"""A product whose kernel works in the first-level cache: blocks of 8 rows, 16 KiB of the second operand."""


class KernelTime(NamedTuple):
    """A call of a step: what it works for, the shape of its domain, what it updates, and the seconds per step that
    thread 0 spends in it, those of its fastest round and of an average one.

    `operations` and `bytes` are of all threads together, and 0 for what is no kernel (copies, barriers); `part` is
    thread 0's part of them, from 0 to 1.
    """

    kernel: str
    shape: Shape
    updates: tuple[str, ...]
    seconds: float
    average: float
    operations: int = 0
    bytes: int = 0
    part: float = 1.0


@dataclass(frozen=True)
class StepProfile:
    """A training step: its kernels in their order, as thread 0 ran them, and the whole.

    `seconds` is the median of a step while no kernel is timed. `peak` is what the machine's matrix products reach on
    the same number of threads, in operations per second.
    """

    name: str
    phase: str | None
    batch_size: int
    threads: int
    steps: int
    seconds: float
    peak: float
    kernels: list[KernelTime]

    @property
    def operations(self) -> int:
        return sum(kernel.operations for kernel in self.kernels)

    @property
    def floor(self) -> float:
        """Seconds that the arithmetic of a step takes at the peak."""
        return self.operations / self.peak

    def floor_of(self, kernel: KernelTime) -> float:
        """Seconds that thread 0's part of a kernel's arithmetic takes at one thread's part of the peak."""
        return kernel.part * kernel.operations * self.threads / self.peak


def profile_phase(
    loaded: LoadedConfig, *, phase: int = 0, threads: int | None = None, steps: int | None = None
) -> StepProfile:
    """Train some steps of one phase (counted from 0) and time every kernel; no file is written.

    `threads`: as many as `fit` may use if None. `steps`: of a round, of which there are fifteen. Raises what `fit`
    raises before its first step.
    """
    from trainer_cli.targets.cpu.threads import thread_limit

    config = loaded.config
    if not 0 <= phase < phase_count(config):
        raise ConfigError(f"the config has {phase_count(config)} phase(s), there is no phase {phase + 1}")
    plan = plan_phases(config, loaded.path.parent)[phase]
    runner = _Runner(plan, config.seed)
    threads = threads or thread_limit(sum(work.cost.operations for work in runner.kernels))
    steps = steps or max(1, round(ROUND_SECONDS / min(runner.run(1, threads) for _ in range(5))))
    timed, seconds = [], []
    for _ in range(ROUNDS):
        # Rounds with and without the clock take turns, so that a busy moment hits both.
        timed.append(runner.timed(steps, threads))
        seconds.append(runner.run(steps, threads))
    return StepProfile(
        name=config.name,
        phase=plan.name,
        batch_size=plan.fit.batch_size,
        threads=threads,
        steps=steps,
        seconds=float(np.median(seconds)),
        peak=peak(threads),
        kernels=list(_named(runner.kernels, timed, threads)),
    )


class _Runner:
    """The training plan of a phase, and the arrays that it works on."""

    def __init__(self, phase: PhasePlan, seed: int) -> None:
        from trainer_cli.targets.cpu.aligned import aligned_floats
        from trainer_cli.targets.cpu.plan import Plan

        program, split = phase.program, phase.dataset.train
        assert program.train is not None
        self._batch_size, self._program = phase.fit.batch_size, program
        self._plan = Plan(program.train, self._batch_size, program.input_leaves, "Training step.")
        self.kernels = list(_work(self._plan.schedule.partition, self._batch_size))
        arrays = split.arrays
        self._data = {leaf: arrays[name] for name, leaf in program.leaves.items() if name in arrays}
        self._first = program.initial_state(seed)
        self._leaves = {name: aligned_floats(values.shape) for name, values in self._first.items()}
        self._seed = phase_seed(seed, phase.position)
        self._rows = row_order(split.rows, phase.fit.shuffle, seed, phase.position, 0, phase.dataset.block)
        self._begin()

    def _begin(self) -> None:
        self._done = 0
        for name, values in self._first.items():
            self._leaves[name][...] = values

    def run(self, steps: int, threads: int) -> float:
        """Seconds of a step, of so many."""
        order = self._order(steps)
        began = time.perf_counter()
        done = self._train(order, threads)
        return (time.perf_counter() - began) / done

    def timed(self, steps: int, threads: int) -> list[CallTime]:
        """The time of every call of a step, of so many."""
        from trainer_cli.targets.cpu.profile import profile

        order = self._order(steps)
        return profile(self._plan, lambda: self._train(order, threads), rounds=1)

    def _order(self, steps: int) -> NDArray[np.int32]:
        """Full batches, from the first row again where there are too few."""
        return np.resize(self._rows, steps * self._batch_size)

    def _train(self, order: NDArray[np.int32], threads: int) -> int:
        """Train on, and give the number of steps; what diverges begins anew."""
        outcome = self._plan.run(
            order,
            self._data,
            self._leaves,
            threads=threads,
            hyperparameters=self._program.hyperparameters,
            first_step=self._done,
            seed=self._seed,
        )
        self._done += outcome.steps
        if outcome.stopped:
            self._begin()
        return outcome.steps


class _Work(NamedTuple):
    """A kernel, its name in the profile, what its calls of a step cost, and how many blocks threads share."""

    kernel: Kernel
    name: str
    cost: Cost
    blocks: int

    def first_part(self, threads: int) -> float:
        """The part of the blocks that thread 0 takes."""
        return (self.blocks // threads) / self.blocks if self.blocks else 1.0


def _work(partition: Partition, batch_size: int) -> Iterator[_Work]:
    """All kernels in the order of their calls, those inside of loops too."""
    for kernel in partition.kernels:
        split = partition.splits[kernel]
        extent = batch_size if split.kind == "rows" else split.extent
        blocks = 0 if split.kind in ("single", "private") else -(-extent // split.block)
        for inner, times in _calls(kernel, 1):
            cost = kernel_cost(inner, batch_size)
            name = inner.label if inner is kernel else f"{kernel.label}, {inner.label.rpartition(': ')[2]}"
            yield _Work(inner, name, Cost(times * cost.operations, times * cost.bytes), blocks)


def _calls(kernel: Kernel, times: int) -> Iterator[tuple[Kernel, int]]:
    """A kernel, or those inside of a loop, and how often a step calls it."""
    if kernel.inner is None or kernel.root is None:
        yield kernel, times
        return
    for inner in kernel.inner.kernels:
        yield from _calls(inner, times * int(kernel.root.attributes["length"]))


def _named(work: Iterable[_Work], rounds: Sequence[Sequence[CallTime]], threads: int) -> Iterator[KernelTime]:
    """The calls of all rounds with the kernels that they run: calls of one label come in the order of the kernels."""
    waiting: dict[str, deque[_Work]] = defaultdict(deque)
    for each in work:
        waiting[each.kernel.label].append(each)
    for calls in zip(*rounds, strict=True):
        label = calls[0].label
        seconds = min(call.fastest for call in calls)
        average = sum(call.average for call in calls) / len(calls)
        if not waiting[label]:
            yield KernelTime(label, (), (), seconds, average)
            continue
        found = waiting[label].popleft()
        kernel, cost = found.kernel, found.cost
        updates, part = tuple(name for _, name in kernel.updates), found.first_part(threads)
        yield KernelTime(found.name, kernel.domain, updates, seconds, average, cost.operations, cost.bytes, part)


def peak(threads: int, rounds: int = 10) -> float:
    """Operations per second that this machine's matrix products reach on so many threads at once, from the caches."""
    from trainer_cli.targets.cpu.plan import Plan
    from trainer_cli.targets.cpu.profile import profile

    graph = Graph()
    x, weight = graph.input("input", (BATCH, _PEAK_DEPTH)), graph.weight("weight", (_PEAK_DEPTH, _PEAK_COLUMNS))
    graph.outputs["total"] = ir.reduce_sum(ir.contract("bi,io->bo", x, weight), (0, 1))
    rows = _PEAK_ROWS * threads
    plan = Plan(graph, rows, {"input": InputSpec((_PEAK_DEPTH,))})
    data = {"input": np.ones((rows, _PEAK_DEPTH), np.float32)}
    weights = {"weight": np.ones((_PEAK_DEPTH, _PEAK_COLUMNS), np.float32)}
    order = np.tile(np.arange(rows, dtype=np.int32), 500)
    calls = profile(plan, lambda: plan.run(order, data, weights, threads=threads).steps, rounds)
    (seconds,) = (call.fastest for call in calls if call.label.endswith("contract"))
    return 2.0 * rows * _PEAK_DEPTH * _PEAK_COLUMNS / seconds
