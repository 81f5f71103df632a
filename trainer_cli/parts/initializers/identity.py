"""Identity: the shape of a matrix in, ones on its diagonal and zeros elsewhere out."""

from __future__ import annotations

from pydantic import Field

from trainer_cli.ir.random import RandomStream
from trainer_cli.lazy import NDArray, np
from trainer_cli.parts.initializer import Initializer

ALIASES = ("identity_initializer",)


class Identity(Initializer):
    """`gain · I`: a matrix, square or not, with `gain` where row and column number agree."""

    gain: float = Field(default=1.0, description="value on the diagonal")

    def misfit(self, shape: tuple[int, ...]) -> str | None:
        return None if len(shape) == 2 else f"`identity` fills matrices only, not the shape {shape}"

    def values(self, shape: tuple[int, ...], random: RandomStream) -> NDArray[np.float64]:
        return self.gain * np.eye(shape[0], shape[1])
