"""What every target offers: a program and a batch size in, an Executable that trains, evaluates and predicts out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

import numpy as np

from trainer_cli.compiler.program import Program
from trainer_cli.data.source import Split
from trainer_cli.lazy import NDArray

State: TypeAlias = "dict[str, NDArray[np.float32]]"
Totals: TypeAlias = "dict[str, NDArray[np.float64]]"
Outputs: TypeAlias = "dict[str, NDArray[np.float32]]"


@dataclass(frozen=True)
class Slice:
    """The outcome of running part of an epoch: steps and rows done, sums by name over these rows and those before.

    `diverged`: the loss became NaN or infinite; `steps` counts the steps up to and with the one where it did.
    """

    steps: int
    rows: int
    totals: Totals
    diverged: bool


class Executable(Protocol):
    """A program bound to a target, with the model's state inside."""

    batch_size: int

    def load(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Take over weights and slots by name. Raises KeyError for a missing one."""

    def state(self) -> State:
        """Copies of all weights and slots by name."""

    def begin_pass(self) -> None:
        """Begin to go over data from its start: what stateful layers carry from batch to batch becomes zeros."""

    def train(
        self,
        split: Split,
        order: NDArray[np.int32],
        first_step: int,
        hyperparameters: Mapping[str, float],
        seed: int,
        totals: Totals | None = None,
    ) -> Slice:
        """Train on the rows that `order` names, in batches; `first_step` updates were made before.

        The slice's totals go on from the given ones, so where an epoch is cut changes no bit of them either.
        """

    def evaluate(self, split: Split, order: NDArray[np.int32]) -> Slice:
        """The totals of loss and metrics over rows."""

    def predict(self, split: Split, begin: int, end: int) -> Outputs:
        """The outputs `(rows, …)` by name for the rows begin … end - 1."""

    @property
    def description(self) -> dict[str, Any]:
        """What `trainer compile` shows: work and memory per step, regions and kernels."""

    @property
    def source(self) -> str:
        """The generated source of the training step; empty where there is none."""


class Target(Protocol):
    """A way to run programs."""

    def compile(self, program: Program, *, batch_size: int) -> Executable:
        """Bind a program to this target."""
