"""The contract of an initializer: a shape and a random stream in, the first values of a weight out."""

from __future__ import annotations

import math
from abc import abstractmethod
from typing import Annotated, TypeAlias

import numpy as np
from numpy.typing import NDArray

from trainer_cli.ir.random import RandomStream
from trainer_cli.parts.families import INITIALIZERS, PartField
from trainer_cli.parts.part import Part


class Initializer(Part):
    """Gives a new weight its first values, in float64; the target rounds them to its own type."""

    @abstractmethod
    def values(self, shape: tuple[int, ...], random: RandomStream) -> NDArray[np.float64]:
        """The first values of a weight of this shape; `random` is the weight's own stream."""


def fans(shape: tuple[int, ...]) -> tuple[float, float]:
    """Fan-in and fan-out as Keras computes them: `(in, out)` for a matrix, times the receptive field for a kernel."""
    if len(shape) == 0:
        return 1.0, 1.0
    if len(shape) == 1:
        return float(shape[0]), float(shape[0])
    receptive_field = math.prod(shape[:-2])
    return float(shape[-2] * receptive_field), float(shape[-1] * receptive_field)


InitializerField: TypeAlias = Annotated[Initializer, PartField(INITIALIZERS)]
