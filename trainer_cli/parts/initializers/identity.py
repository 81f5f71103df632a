"""Identity: the shape of a matrix in, ones on its diagonal and zeros elsewhere out."""

from __future__ import annotations

from pydantic import Field

from trainer_cli.errors import ConfigError, Problem
from trainer_cli.ir.random import RandomStream
from trainer_cli.lazy import NDArray, np
from trainer_cli.parts.initializer import Initializer

ALIASES = ("identity_initializer",)


class Identity(Initializer):
    """`gain · I`: a matrix, square or not, with `gain` where row and column number agree."""

    gain: float = Field(default=1.0, description="value on the diagonal")

    def values(self, shape: tuple[int, ...], random: RandomStream) -> NDArray[np.float64]:
        if len(shape) != 2:
            raise ConfigError([Problem(f"identity: makes matrices only, not a weight of shape {shape}")])
        return self.gain * np.eye(*shape)
