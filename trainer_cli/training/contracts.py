"""What loops and checkpoints ask of a program: its weights, its optimizer's slots and their first values."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from trainer_cli.lazy import NDArray


class Program(Protocol):
    """A config compiled as far as it goes without knowing the machine."""

    @property
    def weights(self) -> Mapping[str, Any]: ...
    @property
    def slots(self) -> Mapping[str, Any]: ...
    @property
    def hyperparameters(self) -> Mapping[str, float]: ...

    def initial_state(self, seed: int) -> dict[str, NDArray[Any]]: ...
