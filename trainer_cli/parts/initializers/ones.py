"""Ones: a shape in, ones out."""

from __future__ import annotations

from trainer_cli.ir.random import RandomStream
from trainer_cli.lazy import NDArray, np
from trainer_cli.parts.initializer import Initializer

ALIASES = ("one",)


class Ones(Initializer):
    """Every element is 1."""

    def values(self, shape: tuple[int, ...], random: RandomStream) -> NDArray[np.float64]:
        return np.ones(shape)
