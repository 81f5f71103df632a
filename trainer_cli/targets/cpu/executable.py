"""The CPU executable: a program in, native calls that run many steps on every thread, and their totals, out."""

from __future__ import annotations

import time
from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from trainer_cli.compiler.cost import step_cost
from trainer_cli.compiler.program import Program
from trainer_cli.data.source import Split
from trainer_cli.ir.graph import Graph
from trainer_cli.lazy import NDArray
from trainer_cli.targets.cpu.aligned import aligned_floats
from trainer_cli.targets.cpu.plan import Plan
from trainer_cli.targets.cpu.processor import second_level_cache
from trainer_cli.targets.cpu.threads import ThreadChoice, available_cores, thread_limit
from trainer_cli.targets.target import Outputs, Slice, State, Totals

if TYPE_CHECKING:
    from trainer_cli.targets.cpu.plan_making import MadePlan


class CpuTarget:
    """Native code for this machine's processor. `threads=None` chooses from the cores and the work of a step.

    A given number is the most that are used: a call that fewer do faster is done by fewer.
    """

    def __init__(self, threads: int | None = None, *, use_cache: bool = True) -> None:
        self.threads = threads
        self.use_cache = use_cache

    def compile(self, program: Program, *, batch_size: int) -> CpuExecutable:
        return CpuExecutable(program, batch_size, self.threads, use_cache=self.use_cache)


class CpuExecutable:
    """See `trainer_cli.targets.target.Executable`. Plans are built when they are first needed."""

    def __init__(self, program: Program, batch_size: int, threads: int | None, *, use_cache: bool) -> None:
        self.program = program
        self.batch_size = batch_size
        self._use_cache = use_cache
        self._given_threads = threads
        self._state: dict[str, NDArray[np.float32]] = {}
        self._choices: dict[Plan, ThreadChoice] = {}

    @cached_property
    def threads(self) -> int:
        """The most threads that are used."""
        graph = self.program.train or self.program.predict
        return self._given_threads or thread_limit(step_cost(graph, self.batch_size).operations)

    # The plans

    @cached_property
    def _training(self) -> Plan:
        return self._plan(self.program.train, "Training step.")

    @cached_property
    def _evaluation(self) -> Plan:
        return self._plan(self.program.evaluate, "Loss and metrics of a batch.")

    @cached_property
    def _prediction(self) -> Plan:
        return self._plan(self.program.predict, "Outputs of a batch.")

    def _plan(self, graph: Graph | None, what: str) -> Plan:
        if graph is None:
            raise ValueError("the program is not compiled: it has no optimizer or no loss")
        return Plan(graph, self.batch_size, self.program.input_leaves, what, use_cache=self._use_cache)

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

    def begin_pass(self) -> None:
        for name in self.program.carried:
            self._state[name][...] = 0.0

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
        return self._run(self._training, split, order, hyperparameters, first_step=first_step, seed=seed, before=totals)

    def evaluate(self, split: Split, order: NDArray[np.int32]) -> Slice:
        return self._run(self._evaluation, split, order)

    def predict(self, split: Split, begin: int, end: int) -> Outputs:
        outputs = {
            name: np.zeros((end - begin, *output.shape), dtype=np.float32)
            for name, output in self.program.outputs.items()
        }
        if end > begin:
            self._run(self._prediction, split, np.arange(begin, end, dtype=np.int32), outputs=outputs)
        return outputs

    def _run(
        self,
        plan: Plan,
        split: Split,
        order: NDArray[np.int32],
        hyperparameters: Mapping[str, float] | None = None,
        *,
        first_step: int = 0,
        seed: int = 0,
        outputs: Outputs | None = None,
        before: Totals | None = None,
    ) -> Slice:
        data = {leaf: split.arrays[name] for name, leaf in self.program.leaves.items() if name in split.arrays}
        if plan not in self._choices:
            self._choices[plan] = ThreadChoice(self.threads, available_cores())
        choice = self._choices[plan]
        threads = choice.next()
        began = time.perf_counter()
        outcome = plan.run(
            order,
            data,
            self._state,
            threads=threads,
            hyperparameters=hyperparameters,
            first_step=first_step,
            seed=seed,
            outputs=outputs,
            before=before,
        )
        choice.observe(threads, len(order), time.perf_counter() - began)
        rows = min(len(order), outcome.steps * self.batch_size)
        return Slice(outcome.steps, rows, outcome.totals, outcome.stopped)

    # Description

    @property
    def description(self) -> dict[str, Any]:
        from trainer_cli.targets.cpu.describe import describe

        return describe(self._shown, self._made.schedule, self.threads)

    @property
    def source(self) -> str:
        return self._made.source.text

    @property
    def _shown(self) -> Graph:
        return self.program.train or self.program.evaluate or self.program.predict

    @cached_property
    def _made(self) -> MadePlan:
        from trainer_cli.targets.cpu.plan_making import make_plan

        return make_plan(self._shown, self.batch_size, self.program.input_leaves, second_level_cache())
