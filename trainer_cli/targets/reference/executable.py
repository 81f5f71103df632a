"""The reference executable: a program in, training and evaluation by interpretation, one NumPy call per primitive."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import numpy as np

from trainer_cli.compiler.program import LOSS_TOTAL, Program
from trainer_cli.data.source import Split
from trainer_cli.ir.graph import Graph
from trainer_cli.lazy import NDArray
from trainer_cli.targets.reference.interpreter import evaluate
from trainer_cli.targets.target import Outputs, Slice, State, Totals


class ReferenceTarget:
    """Programs interpreted with NumPy."""

    def __init__(self, precision: Literal["float32", "float64"] = "float64") -> None:
        self.precision = np.dtype(precision)

    def compile(self, program: Program, *, batch_size: int) -> ReferenceExecutable:
        return ReferenceExecutable(program, batch_size, self.precision)


class ReferenceExecutable:
    """See `trainer_cli.targets.target.Executable`. The state is kept in the target's precision."""

    def __init__(self, program: Program, batch_size: int, precision: np.dtype[Any]) -> None:
        self.program = program
        self.batch_size = batch_size
        self.precision = precision
        self._state: dict[str, NDArray[Any]] = {}

    def load(self, state: Mapping[str, NDArray[Any]]) -> None:
        names = [*self.program.weights, *self.program.slots]
        self._state = {name: np.array(state[name], dtype=self.precision) for name in names}

    def state(self) -> State:
        return {name: value.astype(np.float32) for name, value in self._state.items()}

    def exact_state(self) -> dict[str, NDArray[Any]]:
        """The state in the target's own precision."""
        return {name: value.copy() for name, value in self._state.items()}

    def begin_pass(self) -> None:
        for name in self.program.carried:
            self._state[name] = np.zeros_like(self._state[name])

    def train(
        self,
        split: Split,
        order: NDArray[np.int32],
        first_step: int,
        hyperparameters: Mapping[str, float],
        seed: int,
        totals: Totals | None = None,
    ) -> Slice:
        if self.program.train is None:
            raise ValueError("the program has no training step")
        return self._run(self.program.train, split, order, first_step, {**hyperparameters, "seed": seed}, totals)

    def evaluate(self, split: Split, order: NDArray[np.int32]) -> Slice:
        if self.program.evaluate is None:
            raise ValueError("the program has no loss")
        return self._run(self.program.evaluate, split, order, 0, {})

    def _run(
        self,
        graph: Graph,
        split: Split,
        order: NDArray[np.int32],
        first_step: int,
        given: Mapping[str, float],
        before: Totals | None = None,
    ) -> Slice:
        totals: Totals = {name: np.zeros(shape) for name, shape in self.program.totals().items()} | (before or {})
        names = [*graph.outputs, *graph.updates]
        steps = rows = 0
        for start in range(0, len(order), self.batch_size):
            batch = order[start : start + self.batch_size]
            bindings = {**given, **self._state, **batch_leaves(self.program, split, batch), "step": first_step + steps}
            results = dict(zip(names, evaluate(graph.roots(), bindings, len(batch), self.precision), strict=True))
            for name in graph.outputs:
                totals[name] = np.asarray(totals[name] + results[name].astype(np.float64))
            for name in graph.updates:
                self._state[name] = np.asarray(results[name], dtype=self.precision)  # a scalar too is an array
            steps, rows = steps + 1, rows + len(batch)
            if not np.isfinite(totals[LOSS_TOTAL]).all():
                return Slice(steps, rows, totals, True)
        return Slice(steps, rows, totals, False)

    def predict(self, split: Split, begin: int, end: int) -> Outputs:
        parts = []
        for start in range(begin, end, self.batch_size):
            rows = np.arange(start, min(start + self.batch_size, end), dtype=np.int32)
            bindings = {**self._state, **batch_leaves(self.program, split, rows)}
            results = evaluate(self.program.predict.roots(), bindings, len(rows), self.precision)
            parts.append(results[: len(self.program.outputs)])
            for name, value in zip(self.program.predict.updates, results[len(self.program.outputs) :], strict=True):
                self._state[name] = value.astype(self.precision)
        outputs = {}
        for place, (name, output) in enumerate(self.program.outputs.items()):
            found = [part[place] for part in parts]
            outputs[name] = (np.concatenate(found) if found else np.zeros((0, *output.shape))).astype(np.float32)
        return outputs

    @property
    def description(self) -> dict[str, Any]:
        return {"target": "reference", "precision": self.precision.name}

    @property
    def source(self) -> str:
        return ""


def batch_leaves(program: Program, split: Split, rows: NDArray[np.int32]) -> dict[str, NDArray[Any]]:
    """The given rows of inputs and targets, as a program's graphs call them."""
    leaves = {}
    for name, leaf in program.leaves.items():
        if name not in split.arrays:
            continue
        data = split.arrays[name][rows]
        spec = program.inputs.get(name)
        if spec is not None:
            # Scaled in float32 first, as the native target does when it gathers rows of bytes.
            data = data.astype(np.float32) * np.float32(spec.scale) if data.dtype == np.uint8 else data
            data = data.reshape(len(rows), *spec.shape)
        leaves[leaf] = data
    return leaves
