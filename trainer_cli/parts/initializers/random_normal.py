"""Random normal: a shape in, normally distributed numbers out."""

from __future__ import annotations

from pydantic import Field

from trainer_cli.ir.random import RandomStream
from trainer_cli.lazy import NDArray, np
from trainer_cli.parts.initializer import Initializer

ALIASES = ("normal",)


class RandomNormal(Initializer):
    """Independent numbers from the normal distribution N(mean, stddev²)."""

    mean: float = Field(default=0.0, description="mean of the distribution")
    stddev: float = Field(default=0.05, ge=0, description="standard deviation of the distribution")

    def values(self, shape: tuple[int, ...], random: RandomStream) -> NDArray[np.float64]:
        return self.mean + self.stddev * random.normal(shape)
