"""Random uniform: a shape in, numbers spread evenly between two bounds out."""

from __future__ import annotations

from typing import Self

from pydantic import Field, model_validator

from trainer_cli.ir.random import RandomStream
from trainer_cli.lazy import NDArray, np
from trainer_cli.parts.initializer import Initializer

ALIASES = ("uniform",)


class RandomUniform(Initializer):
    """Independent numbers, uniform in [minval, maxval)."""

    minval: float = Field(default=-0.05, description="lower bound")
    maxval: float = Field(default=0.05, description="upper bound")

    @model_validator(mode="after")
    def _bounds_in_order(self) -> Self:
        if self.minval > self.maxval:
            raise ValueError(f"minval ({self.minval:g}) must not exceed maxval ({self.maxval:g})")
        return self

    def values(self, shape: tuple[int, ...], random: RandomStream) -> NDArray[np.float64]:
        return self.minval + (self.maxval - self.minval) * random.uniform(shape)
