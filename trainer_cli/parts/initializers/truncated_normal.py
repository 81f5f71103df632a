"""Truncated normal: a shape in, normally distributed numbers within two standard deviations of the mean out."""

from __future__ import annotations

from pydantic import Field

from trainer_cli.ir.random import RandomStream
from trainer_cli.lazy import NDArray, np
from trainer_cli.parts.initializer import Initializer, truncated_normal


class TruncatedNormal(Initializer):
    """As `random_normal`, but numbers further than 2·stddev from the mean are drawn again.

    `stddev` is that of the distribution before it is cut: the numbers' own is 0.8796·stddev.
    """

    mean: float = Field(default=0.0, description="mean of the distribution")
    stddev: float = Field(default=0.05, ge=0, description="standard deviation before the distribution is cut")

    def values(self, shape: tuple[int, ...], random: RandomStream) -> NDArray[np.float64]:
        return self.mean + self.stddev * truncated_normal(shape, random)
