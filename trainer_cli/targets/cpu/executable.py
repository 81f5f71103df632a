"""The CPU executable: a program in, native calls that run many steps on every thread, and their totals, out."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trainer_cli.compiler.cost import step_cost
from trainer_cli.compiler.memory import Schedule
from trainer_cli.compiler.program import INPUT, TARGET, Program
from trainer_cli.compiler.schedule import make_schedule
from trainer_cli.data.source import Split
from trainer_cli.ir.graph import Graph
from trainer_cli.targets.cpu.aligned import aligned_bytes, aligned_floats
from trainer_cli.targets.cpu.build import Entry, build
from trainer_cli.targets.cpu.plan_source import FIXED, PlanSource, write_plan
from trainer_cli.targets.cpu.threads import ThreadChoice, thread_limit
from trainer_cli.targets.target import Slice, State, Totals


class CpuTarget:
    """Native code for this machine's processor. `threads=None` chooses from the cores and the work of a step."""

    def __init__(self, threads: int | None = None, *, use_cache: bool = True) -> None:
        self.threads = threads
        self.use_cache = use_cache

    def compile(self, program: Program, *, batch_size: int) -> CpuExecutable:
        return CpuExecutable(program, batch_size, self.threads, use_cache=self.use_cache)


@dataclass
class _Plan:
    """One compiled graph: its schedule, text and entry point, and the memory that its table points to."""

    schedule: Schedule
    source: PlanSource
    run: Entry
    from_cache: bool
    choice: ThreadChoice

    def __post_init__(self) -> None:
        self.arena = aligned_bytes(self.schedule.arena)
        self.table = np.zeros(self.source.table.size, dtype=np.int64)
        self.barrier = aligned_bytes(64).view(np.int64)
        self.status = aligned_bytes(64).view(np.int64)
        sizes = [start + size for start, size in self.source.table.totals.values()]
        self.totals = np.zeros(max(sizes, default=1), dtype=np.float64)
        self.hyperparameters = np.zeros(max(1, len(self.source.table.hyperparameters)), dtype=np.float64)
        self.constants = [
            np.ascontiguousarray(value.attributes["value"], dtype=np.float32 if value.dtype == "float" else np.int32)
            for value in self.source.table.constants
        ]
        for value, array in zip(self.source.table.constants, self.constants, strict=True):
            self.table[self.source.table.constant_place(value)] = array.ctypes.data

    def put(self, name: str, word: int) -> None:
        self.table[FIXED.index(name)] = word


class CpuExecutable:
    """See `trainer_cli.targets.target.Executable`. Plans are built when they are first needed."""

    def __init__(self, program: Program, batch_size: int, threads: int | None, *, use_cache: bool) -> None:
        self.program = program
        self.batch_size = batch_size
        self._use_cache = use_cache
        self._given_threads = threads
        self._state: dict[str, NDArray[np.float32]] = {}

    @cached_property
    def threads(self) -> int:
        """The number of threads, or the most that are used where it was not given."""
        graph = self.program.train or self.program.predict
        return self._given_threads or thread_limit(step_cost(graph, self.batch_size).operations)

    # The plans

    @cached_property
    def _training(self) -> _Plan:
        return self._plan(self.program.train, "Training step.")

    @cached_property
    def _evaluation(self) -> _Plan:
        return self._plan(self.program.evaluate, "Loss and metrics of a batch.")

    @cached_property
    def _prediction(self) -> _Plan:
        return self._plan(self.program.predict, "Outputs of a batch.")

    def _plan(self, graph: Graph | None, what: str) -> _Plan:
        if graph is None:
            raise ValueError("the program is not compiled: it has no optimizer or no loss")
        schedule, source = self._write(graph, what)
        run, from_cache = build(source.text, use_cache=self._use_cache)
        return _Plan(schedule, source, run, from_cache, ThreadChoice(self.threads))

    def _write(self, graph: Graph, what: str) -> tuple[Schedule, PlanSource]:
        schedule = make_schedule(graph, self.batch_size)
        return schedule, write_plan(schedule, self.program.input, what)

    # The state

    def load(self, state: Mapping[str, NDArray[Any]]) -> None:
        for name in [*self.program.weights, *self.program.slots]:
            array = state[name]
            own = self._state.get(name)
            if own is None:
                own = self._state[name] = aligned_floats(array.shape)
            own[...] = array

    def state(self) -> State:
        return {name: array.copy() for name, array in self._state.items()}

    # Running

    def train(
        self,
        split: Split,
        order: NDArray[np.int32],
        first_step: int,
        hyperparameters: Mapping[str, float],
        seed: int,
        totals: Totals | None = None,
    ) -> Slice:
        plan = self._training
        for name, place in plan.source.table.hyperparameters.items():
            plan.hyperparameters[place] = hyperparameters[name]
        return self._run(plan, split, order, first_step=first_step, seed=seed, before=totals)

    def evaluate(self, split: Split, order: NDArray[np.int32]) -> Slice:
        return self._run(self._evaluation, split, order)

    def predict(self, split: Split, begin: int, end: int) -> NDArray[np.float32]:
        output = np.zeros((end - begin, *self.program.output_shape), dtype=np.float32)
        if end > begin:
            self._run(self._prediction, split, np.arange(begin, end, dtype=np.int32), output=output)
        return output

    def _run(
        self,
        plan: _Plan,
        split: Split,
        order: NDArray[np.int32],
        *,
        first_step: int = 0,
        seed: int = 0,
        output: NDArray[np.float32] | None = None,
        before: Totals | None = None,
    ) -> Slice:
        rows = np.ascontiguousarray(order, dtype=np.int32)
        plan.totals[:] = 0.0
        if before:
            for name, (start, size) in plan.source.table.totals.items():
                plan.totals[start : start + size] = before[name].ravel()
        plan.barrier[:] = 0
        plan.status[:] = 0
        kept = self._point(plan, split, rows, first_step, seed, output)
        threads = self._given_threads or plan.choice.next()
        began = time.perf_counter()
        _start(plan, threads)
        plan.choice.observe(threads, len(rows), time.perf_counter() - began)
        del kept
        steps = int(plan.status[1])
        done = min(len(rows), steps * self.batch_size)
        sums = {
            name: plan.totals[start : start + size].reshape(self.program.totals()[name]).copy()
            for name, (start, size) in plan.source.table.totals.items()
        }
        return Slice(steps, done, sums, bool(plan.status[0]))

    def _point(
        self,
        plan: _Plan,
        split: Split,
        rows: NDArray[np.int32],
        first_step: int,
        seed: int,
        output: NDArray[np.float32] | None,
    ) -> list[NDArray[Any]]:
        """Fill the table; gives the arrays that must live until the call is over."""
        table = plan.source.table
        words = {
            "arena": plan.arena.ctypes.data,
            "barrier": plan.barrier.ctypes.data,
            "order": rows.ctypes.data,
            "count": len(rows),
            "first_step": first_step,
            "seed": seed,
            "hyperparameters": plan.hyperparameters.ctypes.data,
            "totals": plan.totals.ctypes.data,
            "status": plan.status.ctypes.data,
            "output": output.ctypes.data if output is not None else 0,
        }
        for name, word in words.items():
            plan.put(name, word)
        kept: list[NDArray[Any]] = [rows]
        for name, place in table.data.items():
            array = self._column(split, name)
            kept.append(array)
            plan.table[place] = array.ctypes.data
        for name, place in table.leaves.items():
            plan.table[place] = self._state[name].ctypes.data
        return kept

    def _column(self, split: Split, name: str) -> NDArray[Any]:
        """The rows of one input in the type that the plan reads."""
        if name == TARGET:
            if split.target is None:
                raise ValueError("the data has no target")
            expected: Any = np.int32 if self.program.target_form == "labels" else np.float32
            return np.ascontiguousarray(split.target, dtype=expected)
        expected = np.uint8 if name == INPUT and self.program.input.dtype == "uint8" else np.float32
        return np.ascontiguousarray(split.inputs[name], dtype=expected)

    # Description

    @property
    def description(self) -> dict[str, Any]:
        from trainer_cli.targets.cpu.describe import describe

        graph = self.program.train or self.program.evaluate or self.program.predict
        return describe(graph, make_schedule(graph, self.batch_size), self.threads)

    @property
    def source(self) -> str:
        graph = self.program.train or self.program.evaluate or self.program.predict
        return self._write(graph, "Training step.")[1].text


def _start(plan: _Plan, threads: int) -> None:
    """Run the entry point on every thread; the calling one is thread 0."""
    address = plan.table.ctypes.data
    failures: list[BaseException] = []

    def work(thread: int) -> None:
        try:
            plan.run(thread, threads, address)
        except BaseException as error:
            failures.append(error)

    others = [threading.Thread(target=work, args=(thread,), daemon=True) for thread in range(1, threads)]
    for other in others:
        other.start()
    work(0)
    for other in others:
        other.join()
    if failures:
        raise failures[0]
