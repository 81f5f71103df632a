"""Orthogonal: a shape of two or more axes in, a matrix with orthonormal rows or columns in that shape out."""

from __future__ import annotations

import math

from pydantic import Field

from trainer_cli.ir.random import RandomStream
from trainer_cli.lazy import NDArray, np
from trainer_cli.parts.initializer import Initializer

ALIASES = ("orthogonal_initializer",)


class Orthogonal(Initializer):
    """The orthogonal factor of a random normal matrix (Saxe, McClelland and Ganguli, "Exact solutions to the nonlinear
    dynamics of learning in deep linear neural networks", 2014).

    All axes but the last count as rows. The signs of R's diagonal move into Q, which makes Q uniformly distributed
    (Mezzadri, "How to generate random matrices from the classical compact groups", 2007).
    """

    gain: float = Field(default=1.0, description="factor on the orthonormal matrix")

    def misfit(self, shape: tuple[int, ...]) -> str | None:
        return None if len(shape) >= 2 else f"`orthogonal` needs two axes or more, not the shape {shape}"

    def values(self, shape: tuple[int, ...], random: RandomStream) -> NDArray[np.float64]:
        rows, columns = math.prod(shape[:-1]), shape[-1]
        factor, triangle = np.linalg.qr(random.normal((max(rows, columns), min(rows, columns))))
        factor = factor * np.where(np.diagonal(triangle) < 0, -1.0, 1.0)
        return self.gain * (factor.T if rows < columns else factor).reshape(shape)
