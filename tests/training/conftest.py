"""A linear model in NumPy that keeps the contract of programs and executables, so that the loop is tested alone."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import SimpleNamespace

import numpy as np
import pytest

from trainer_cli.data.source import Split
from trainer_cli.ir.random import RandomStream


@dataclass
class LinearProgram:
    """w·x with momentum; `poison` makes the update of that step NaN, `overflow` the loss of that step infinite."""

    features: int = 3
    trainable: bool = True
    poison: int | None = None
    overflow: int | None = None
    hyperparameters: dict = field(default_factory=lambda: {"learning_rate": 0.05, "momentum": 0.9})

    @property
    def weights(self):
        return {
            "dense_1/kernel": SimpleNamespace(shape=(self.features,), trainable=self.trainable, layer="dense_1"),
            "dense_1/bias": SimpleNamespace(shape=(), trainable=True, layer="dense_1"),
        }

    @property
    def slots(self):
        return {
            f"{name}/momentum": SimpleNamespace(shape=spec.shape, initial=0.0)
            for name, spec in self.weights.items()
            if spec.trainable
        }

    def initial_state(self, seed):
        state = {
            "dense_1/kernel": RandomStream(seed, "dense_1/kernel").uniform((self.features,)).astype(np.float32),
            "dense_1/bias": np.zeros((), np.float32),
        }
        return state | {name: np.zeros(spec.shape, np.float32) for name, spec in self.slots.items()}

    def results(self, totals, rows):
        assert rows == float(totals["rows"])
        return {"loss": float(totals["loss"] / rows), "undefined": float("nan")}

    layers = (SimpleNamespace(parameters=4, trainable_parameters=4),)
    warnings = ()


@dataclass
class LinearSlice:
    steps: int
    rows: int
    totals: dict
    diverged: bool


class LinearExecutable:
    """Calls of `train` are recorded as (first_step, rows)."""

    def __init__(self, program, batch_size):
        self.program = program
        self.batch_size = batch_size
        self.calls = []
        self.values = {}

    def load(self, state):
        self.values = {name: np.array(value) for name, value in state.items()}

    def state(self):
        return {name: np.array(value) for name, value in self.values.items()}

    def begin_pass(self):
        pass

    def train(self, split, order, first_step, hyperparameters, seed, totals=None):
        self.calls.append((first_step, len(order)))
        totals = {name: np.array((totals or {}).get(name, 0.0)) for name in ("loss", "rows")}
        steps = 0
        rate = np.float32(hyperparameters["learning_rate"])
        beta = np.float32(hyperparameters["momentum"])
        for begin in range(0, len(order), self.batch_size):
            rows = order[begin : begin + self.batch_size]
            x, y = split.inputs["input"][rows], split.targets["target"][rows]
            error = x @ self.values["dense_1/kernel"] + self.values["dense_1/bias"] - y
            loss = float((error.astype(np.float64) ** 2).sum())
            step = first_step + steps
            if step == self.program.overflow:
                loss = np.inf
            steps += 1
            totals["loss"] += loss
            totals["rows"] += len(rows)
            if not np.isfinite(loss):
                return LinearSlice(steps, begin + len(rows), totals, True)
            # The random part shows that steps and seed arrive as they should.
            noise = np.float32(1 + 0.01 * RandomStream(seed, "noise", step).uniform((1,))[0])
            for name, gradient in (("kernel", (x * error[:, None]).mean(0)), ("bias", error.mean())):
                velocity = self.values[f"dense_1/{name}/momentum"] * beta + np.float32(gradient) * noise
                self.values[f"dense_1/{name}/momentum"] = velocity.astype(np.float32)
                self.values[f"dense_1/{name}"] = (self.values[f"dense_1/{name}"] - rate * velocity).astype(np.float32)
            if step == self.program.poison:
                self.values["dense_1/bias"] = np.asarray(np.nan, np.float32)
        return LinearSlice(steps, len(order), totals, False)

    def evaluate(self, split, order):
        x, y = split.inputs["input"][order], split.targets["target"][order]
        error = x @ self.values["dense_1/kernel"] + self.values["dense_1/bias"] - y
        totals = {"loss": np.asarray((error.astype(np.float64) ** 2).sum()), "rows": np.asarray(float(len(order)))}
        return LinearSlice(1, len(order), totals, False)


@pytest.fixture
def linear():
    """(program class, executable class, split of 50 rows)."""
    x = RandomStream(1, "x").normal((50, 3)).astype(np.float32)
    y = (x @ np.array([1.0, -2.0, 0.5], np.float32) + 0.25).astype(np.float32)
    return SimpleNamespace(
        Program=LinearProgram, Executable=LinearExecutable, split=Split({"input": x}, {"target": y}, 50), seed=5
    )
