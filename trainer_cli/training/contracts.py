"""What training asks of a compiled program and of its executable: the calls, what they take and what they give."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from trainer_cli.data.source import Split


class Slice(Protocol):
    """What a part of an epoch gave."""

    @property
    def steps(self) -> int: ...
    @property
    def rows(self) -> int: ...
    @property
    def totals(self) -> Mapping[str, NDArray[np.float64]]: ...
    @property
    def diverged(self) -> bool: ...


class Executable(Protocol):
    """A program compiled for one target; it owns weights and optimizer state."""

    def load(self, state: dict[str, NDArray[Any]]) -> None: ...

    def state(self) -> dict[str, NDArray[Any]]: ...

    def train(
        self,
        split: Split,
        order: NDArray[np.int32],
        first_step: int,
        hyperparameters: dict[str, float],
        seed: int,
        totals: Mapping[str, NDArray[np.float64]] | None = None,
    ) -> Slice:
        """Train on the rows `order`. The result's totals go on from the given ones.

        So they are summed step by step in one order, and where an epoch is cut changes no bit of them either.
        """

    def evaluate(self, split: Split, order: NDArray[np.int32]) -> Slice: ...

    def predict(self, split: Split, begin: int, end: int) -> NDArray[Any]: ...


class Program(Protocol):
    """A config compiled as far as it goes without knowing the machine."""

    @property
    def weights(self) -> Mapping[str, Any]: ...
    @property
    def slots(self) -> Mapping[str, Any]: ...
    @property
    def hyperparameters(self) -> Mapping[str, float]: ...

    def initial_state(self, seed: int) -> dict[str, NDArray[Any]]: ...
