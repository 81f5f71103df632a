"""Graphs on the CPU target for tests: a graph and arrays for its leaves in, every output and update out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trainer_cli.compiler.kernels import storage
from trainer_cli.compiler.layout import ITEM_SIZE
from trainer_cli.ir.graph import Graph
from trainer_cli.targets.cpu.aligned import aligned_floats
from trainer_cli.targets.cpu.plan import Plan
from trainer_cli.targets.cpu.plan_making import STORED
from trainer_cli.targets.reference.interpreter import evaluate

Array = NDArray[Any]


class NativeGraph:
    """A graph compiled for the CPU target, whose outputs may have a batch axis or not, in any number."""

    def __init__(self, graph: Graph, batch_size: int) -> None:
        self.graph = graph
        self.batch_size = batch_size
        self.plan = Plan(graph, batch_size, {})
        self.last_threads: int | None = None

    def run(
        self, bindings: Mapping[str, Any], rows: int, *, threads: int = 1, step: int = 0, seed: int = 0
    ) -> dict[str, Array]:
        """The outputs and updates by name after one step over `rows` rows."""
        assert rows <= self.batch_size
        graph = self.plan.schedule.graph
        leaves: dict[str, Array] = {}
        for name, value in {**graph.leaves("weight"), **graph.leaves("state"), **graph.updates}.items():
            leaves[name] = aligned_floats(tuple(map(int, value.shape)))
            if name in bindings:
                leaves[name][...] = bindings[name]
        given = {name: np.asarray(bindings[name]) for name in graph.leaves("input")}
        # What a step must not depend on: whatever the arena and the caller's output held before.
        self.plan.arena[:] = 0x7F
        outputs = {
            name: np.zeros((rows, self._width(name)), np.float32)
            for name, value in graph.outputs.items()
            if value.batched
        }
        outcome = self.plan.run(
            np.arange(rows, dtype=np.int32),
            given,
            leaves,
            threads=threads,
            hyperparameters={name: float(bindings[name]) for name in graph.leaves("hyperparameter")},
            first_step=step,
            seed=seed,
            outputs=outputs,
        )
        assert outcome.steps == 1
        results = {name: self._batched(name, rows) for name, value in graph.outputs.items() if value.batched}
        results |= outcome.totals
        return results | {f"{name}'": leaves[name] for name in graph.updates}

    def _width(self, name: str) -> int:
        return int(np.prod([int(extent) for extent in self.plan.schedule.graph.outputs[name].shape[1:]], dtype=int))

    def _batched(self, name: str, rows: int) -> Array:
        """A batched output as it stands in the arena after the step."""
        value = self.plan.schedule.graph.outputs[name]
        offset = self.plan.schedule.buffers[storage(value)].offset
        count = rows * self._width(name)
        raw = self.plan.arena[offset : offset + count * ITEM_SIZE[value.dtype]].view(STORED[value.dtype])
        return raw.reshape(rows, *map(int, value.shape[1:])).copy()


def reference(graph: Graph, bindings: Mapping[str, Any], rows: int, *, precision: Any = np.float64) -> dict[str, Array]:
    """The same results as `NativeGraph.run` gives, by interpretation."""
    names = [*graph.outputs, *(f"{name}'" for name in graph.updates)]
    return dict(zip(names, evaluate(graph.roots(), bindings, rows, precision), strict=True))


def assert_agree(
    graph: Graph,
    bindings: Mapping[str, Any],
    rows: int,
    *,
    batch_size: int | None = None,
    threads: tuple[int, ...] = (1, 2, 3),
    tolerance: float = 1e-5,
    native: NativeGraph | None = None,
    step: int = 0,
    seed: int = 0,
) -> NativeGraph:
    """Compare every output and update with the reference, and the bits of several numbers of threads."""
    native = native or NativeGraph(graph, batch_size or rows)
    expected = reference(graph, {**bindings, "step": step, "seed": seed}, rows)
    first: dict[str, Array] = {}
    for count in threads:
        found = native.run(bindings, rows, threads=count, step=step, seed=seed)
        assert found.keys() == expected.keys()
        first = first or found
        for name, array in found.items():
            assert array.tobytes() == first[name].tobytes(), f"{name}: {count} threads give other bits"
    for name, wanted in expected.items():
        wanted = np.asarray(wanted, dtype=np.float64)
        finite = np.abs(wanted[np.isfinite(wanted)])
        scale = max(1.0, float(finite.max())) if finite.size else 1.0
        np.testing.assert_allclose(
            np.asarray(first[name], np.float64), wanted, rtol=tolerance, atol=tolerance * scale, err_msg=name
        )
    return native
