"""Plans: a graph and a batch size in, native code beside the memory that it works on, and calls of it, out."""

from __future__ import annotations

import ctypes
import math
import threading
from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from trainer_cli.compiler.trace import InputSpec
from trainer_cli.ir.graph import Graph
from trainer_cli.lazy import NDArray
from trainer_cli.targets.cpu.aligned import aligned_bytes
from trainer_cli.targets.cpu.plan_record import InputPlace
from trainer_cli.targets.cpu.processor import second_level_cache
from trainer_cli.targets.cpu.stored_plan import load_plan
from trainer_cli.targets.cpu.threads import cores_from_here, spread
from trainer_cli.targets.cpu.words import Word
from trainer_cli.targets.target import Outputs, Totals

if TYPE_CHECKING:
    from trainer_cli.compiler.memory import Schedule
    from trainer_cli.targets.cpu.plan_making import MadePlan
    from trainer_cli.targets.cpu.plan_source import PlanSource

WORDS_APART = 16
"""Words of two cache lines, which processors fetch together: no thread writes into another one's."""


class Outcome(NamedTuple):
    """What a call did: steps, sums by name, and whether a loss that is no number ended it early."""

    steps: int
    totals: Totals
    stopped: bool


class Plan:
    """One compiled graph. A plan's memory serves one call at a time."""

    def __init__(
        self, graph: Graph, batch_size: int, inputs: Mapping[str, InputSpec], what: str = "", *, use_cache: bool = True
    ) -> None:
        cache = second_level_cache()
        self._asked = (graph, batch_size, inputs, cache, what)
        self.record, addresses, self.from_cache = load_plan(
            graph, batch_size, inputs, cache, lambda: self._made, use_cache=use_cache
        )
        record = self.record
        self._program = record.words.copy()
        for place, unit, name in record.functions:
            self._program[place] = addresses[unit, name]
        words = (ctypes.c_int64, ctypes.c_int64, ctypes.c_int64, ctypes.c_void_p)
        self._entry = ctypes.CFUNCTYPE(None, *words)(addresses[record.runtime, "run"])
        self.arena = aligned_bytes(record.arena)
        self._local = aligned_bytes(0)
        # Where it is given, thread 0 adds the ticks of every instruction at its place.
        self.ticks: NDArray[np.int64] | None = None
        self._table = np.zeros(record.table_size, dtype=np.int64)
        self._barrier = aligned_bytes(64).view(np.int64)
        self._status = aligned_bytes(64).view(np.int64)
        self._totals = np.zeros(max((total.start + total.size for total in record.totals.values()), default=1))
        self._hyperparameters = np.zeros(max(1, len(record.hyperparameters)))
        for place, array in enumerate(record.constants, record.first_constant):
            self._table[place] = array.ctypes.data

    @cached_property
    def _made(self) -> MadePlan:
        """What the passes make of the graph, which a plan from the cache knows only when asked."""
        from trainer_cli.targets.cpu.plan_making import make_plan

        return make_plan(*self._asked)

    @property
    def schedule(self) -> Schedule:
        """What the passes leave of the graph."""
        return self._made.schedule

    @property
    def source(self) -> PlanSource:
        """The text of the kernels and the program of a step."""
        return self._made.source

    def run(
        self,
        order: NDArray[np.int32],
        data: Mapping[str, NDArray[Any]],
        leaves: Mapping[str, NDArray[np.float32]],
        *,
        threads: int = 1,
        hyperparameters: Mapping[str, float] | None = None,
        first_step: int = 0,
        seed: int = 0,
        outputs: Outputs | None = None,
        before: Totals | None = None,
    ) -> Outcome:
        """Run a step for each batch of the rows that `order` names.

        `leaves` are weights and states, changed in place; `outputs` take the rows of batched outputs; totals go on from
        `before`. Raises KeyError for what is missing and ValueError for data that does not fit.
        """
        record, rows = self.record, np.ascontiguousarray(order, dtype=np.int32)
        # These arrays must live until the call is over: the table holds their addresses alone.
        columns = {name: _column(name, known, data[name], rows) for name, known in record.inputs.items()}
        self._totals[:] = 0.0
        for name, total in (before or {}).items():
            start, size, _ = record.totals[name]
            self._totals[start : start + size] = total.ravel()
        for name, place in record.hyperparameters.items():
            self._hyperparameters[place] = (hyperparameters or {})[name]
        self._barrier[:] = 0
        self._status[:] = 0
        own = -(-record.slots // WORDS_APART) * WORDS_APART
        memory = aligned_bytes(threads * own * 8).view(np.int64)
        if len(self._local) < threads * record.local_size:
            self._local = aligned_bytes(threads * record.local_size)
        words = {
            "arena": self.arena.ctypes.data,
            "barrier": self._barrier.ctypes.data,
            "order": rows.ctypes.data,
            "count": len(rows),
            "first_step": first_step,
            "seed": seed,
            "hyperparameters": self._hyperparameters.ctypes.data,
            "totals": self._totals.ctypes.data,
            "status": self._status.ctypes.data,
            "batch": record.batch_size,
            "program": self._program.ctypes.data,
            "program_end": len(self._program),
            "ticks": self.ticks.ctypes.data if self.ticks is not None else 0,
            "memory": memory.ctypes.data,
            "memory_size": own,
            "table_size": record.table_size,
            "scalars": record.scalars,
            "frame": record.frame,
            "local": self._local.ctypes.data,
            "local_size": record.local_size,
        }
        for name, word in words.items():
            self._table[Word[name.upper()]] = word
        for name, known in record.inputs.items():
            self._table[known.place] = columns[name].ctypes.data
        for name, place in record.leaves.items():
            self._table[place] = leaves[name].ctypes.data
        for name, place in record.outputs.items():
            self._table[place] = outputs[name].ctypes.data if outputs is not None else 0
        self._start(threads)
        sums = {
            name: self._totals[start : start + size].reshape(shape).copy()
            for name, (start, size, shape) in record.totals.items()
        }
        return Outcome(int(self._status[1]), sums, bool(self._status[0]))

    def _start(self, threads: int) -> None:
        """Run the entry point on every thread; the calling one is thread 0."""
        address = self._table.ctypes.data
        failures: list[BaseException] = []
        cores = cores_from_here() if threads > 1 else []

        def work(thread: int) -> None:
            try:
                if thread > 0:
                    spread(cores, thread)
                self._entry(thread, threads, 0, address)
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


def _column(name: str, known: InputPlace, array: NDArray[Any], rows: NDArray[np.int32]) -> NDArray[Any]:
    """All rows of one input in the type that the plan reads, after a check that every row of the order exists."""
    if array.size != len(array) * math.prod(known.shape):
        raise ValueError(f"rows of `{name}` have shape {array.shape[1:]}, not {known.shape}")
    if rows.size and not 0 <= int(rows.min()) <= int(rows.max()) < len(array):
        raise ValueError(f"the order names rows that `{name}`, with {len(array)} rows, does not have")
    return np.ascontiguousarray(array, dtype=known.dtype)
