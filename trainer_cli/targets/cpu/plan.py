"""Plans: a graph and a batch size in, native code beside the memory that it works on, and calls of it, out."""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trainer_cli.compiler.schedule import make_schedule
from trainer_cli.compiler.trace import InputSpec
from trainer_cli.ir.graph import Graph, Value
from trainer_cli.ir.ops.structure import static_size
from trainer_cli.targets.cpu.aligned import aligned_bytes
from trainer_cli.targets.cpu.build import build
from trainer_cli.targets.cpu.plan_source import RUNTIME, reads_bytes, write_plan
from trainer_cli.targets.cpu.processor import second_level_cache
from trainer_cli.targets.cpu.program import Word
from trainer_cli.targets.cpu.threads import cores_from_here, spread
from trainer_cli.targets.target import Outputs, Totals

STORED: Mapping[str, Any] = {"float": np.float32, "int": np.int32, "bool": np.uint8}
"""The types of arrays that a plan reads, by the IR's types."""


WORDS_APART = 16
"""Words of two cache lines, which processors fetch together: no thread writes into another one's."""


@dataclass(frozen=True)
class Outcome:
    """What a call did: steps, sums by name, and whether a loss that is no number ended it early."""

    steps: int
    totals: Totals
    stopped: bool


class Plan:
    """One compiled graph. A plan's memory serves one call at a time."""

    def __init__(
        self, graph: Graph, batch_size: int, inputs: Mapping[str, InputSpec], what: str = "", *, use_cache: bool = True
    ) -> None:
        self.inputs = inputs
        self.schedule = make_schedule(graph, batch_size, second_level_cache())
        self.source = write_plan(self.schedule, inputs, what)
        addresses, self.from_cache = build([RUNTIME, *self.source.units], use_cache=use_cache)
        program = self.source.program
        self._program = np.array(program.words, dtype=np.int64)
        for place, unit, name in program.functions:
            self._program[place] = addresses[unit, name]
        words = (ctypes.c_int64, ctypes.c_int64, ctypes.c_int64, ctypes.c_void_p)
        self._entry = ctypes.CFUNCTYPE(None, *words)(addresses[RUNTIME, "run"])
        layout = self.source.table
        self.arena = aligned_bytes(self.schedule.arena)
        self._local = aligned_bytes(0)
        # Where it is given, thread 0 adds the ticks of every instruction at its place.
        self.ticks: NDArray[np.int64] | None = None
        self._table = np.zeros(layout.size, dtype=np.int64)
        self._barrier = aligned_bytes(64).view(np.int64)
        self._status = aligned_bytes(64).view(np.int64)
        self._totals = np.zeros(max((start + size for start, size in layout.totals.values()), default=1))
        self._hyperparameters = np.zeros(max(1, len(layout.hyperparameters)))
        self._constants = [
            np.ascontiguousarray(value.attributes["value"], dtype=STORED[value.dtype]) for value in layout.constants
        ]
        for value, array in zip(layout.constants, self._constants, strict=True):
            self._table[layout.constant_place(value)] = array.ctypes.data

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
        layout, rows = self.source.table, np.ascontiguousarray(order, dtype=np.int32)
        # These arrays must live until the call is over: the table holds their addresses alone.
        columns = {name: self._column(value, data[name], rows) for name, value in self._inputs().items()}
        self._totals[:] = 0.0
        for name, total in (before or {}).items():
            start, size = layout.totals[name]
            self._totals[start : start + size] = total.ravel()
        for name, place in layout.hyperparameters.items():
            self._hyperparameters[place] = (hyperparameters or {})[name]
        self._barrier[:] = 0
        self._status[:] = 0
        own = -(-self.source.slots // WORDS_APART) * WORDS_APART
        memory = aligned_bytes(threads * own * 8).view(np.int64)
        if len(self._local) < threads * self.schedule.local_size:
            self._local = aligned_bytes(threads * self.schedule.local_size)
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
            "batch": self.schedule.batch_size,
            "program": self._program.ctypes.data,
            "program_end": len(self._program),
            "ticks": self.ticks.ctypes.data if self.ticks is not None else 0,
            "memory": memory.ctypes.data,
            "memory_size": own,
            "table_size": layout.size,
            "scalars": self.source.scalars,
            "frame": self.source.frame,
            "local": self._local.ctypes.data,
            "local_size": self.schedule.local_size,
        }
        for name, word in words.items():
            self._table[Word[name.upper()]] = word
        for name, place in layout.data.items():
            self._table[place] = columns[name].ctypes.data
        for name, place in layout.leaves.items():
            self._table[place] = leaves[name].ctypes.data
        for name, place in layout.outputs.items():
            self._table[place] = outputs[name].ctypes.data if outputs is not None else 0
        self._start(threads)
        sums = {
            name: self._totals[start : start + size].reshape(self._total_shape(name)).copy()
            for name, (start, size) in layout.totals.items()
        }
        return Outcome(int(self._status[1]), sums, bool(self._status[0]))

    def _inputs(self) -> dict[str, Value]:
        return self.schedule.graph.leaves("input")

    def _total_shape(self, name: str) -> tuple[int, ...]:
        return tuple(map(int, self.schedule.graph.outputs[name].shape))

    def _column(self, value: Value, array: NDArray[Any], rows: NDArray[np.int32]) -> NDArray[Any]:
        """All rows of one input in the type that the plan reads, after a check that every row of the order exists."""
        kind = np.uint8 if reads_bytes(value, self.inputs) else STORED[value.dtype]
        if array.size != len(array) * static_size(value.shape):
            raise ValueError(f"rows of `{value.name}` have shape {array.shape[1:]}, not {value.shape[1:]}")
        if rows.size and not 0 <= int(rows.min()) <= int(rows.max()) < len(array):
            raise ValueError(f"the order names rows that `{value.name}`, with {len(array)} rows, does not have")
        return np.ascontiguousarray(array, dtype=kind)

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
