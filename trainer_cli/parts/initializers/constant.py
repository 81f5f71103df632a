"""Constant: a shape in, one number in every element out."""

from __future__ import annotations

from pydantic import Field

from trainer_cli.ir.random import RandomStream
from trainer_cli.lazy import NDArray, np
from trainer_cli.parts.initializer import Initializer


class Constant(Initializer):
    """Every element is `value`."""

    value: float = Field(default=0.0, description="the value of every element")

    def values(self, shape: tuple[int, ...], random: RandomStream) -> NDArray[np.float64]:
        return np.full(shape, self.value)
