"""The contract of an initializer: a shape and a random stream in, the first values of a weight out."""

from __future__ import annotations

import math
from abc import abstractmethod
from typing import Annotated, Literal, TypeAlias

from pydantic import Field

from trainer_cli.ir.random import RandomStream
from trainer_cli.lazy import NDArray, np
from trainer_cli.parts.families import INITIALIZERS, PartField
from trainer_cli.parts.part import Part


class Initializer(Part):
    """Gives a new weight its first values, in float64; the target rounds them to its own type."""

    def misfit(self, shape: tuple[int, ...]) -> str | None:
        """Why a weight of this shape cannot be filled, or None if it can."""
        return None

    @abstractmethod
    def values(self, shape: tuple[int, ...], random: RandomStream) -> NDArray[np.float64]:
        """The first values of a weight of this shape; `random` is the weight's own stream."""


class Truncated(Initializer):
    """An initializer that draws from a normal distribution cut at two standard deviations."""

    corrected: bool = Field(
        default=True,
        description="whether the numbers are widened to the variance wanted, which the cut makes smaller by 23 %",
    )


def fans(shape: tuple[int, ...]) -> tuple[float, float]:
    """Fan-in and fan-out as Keras computes them: `(in, out)` for a matrix, times the receptive field for a kernel."""
    if len(shape) == 0:
        return 1.0, 1.0
    if len(shape) == 1:
        return float(shape[0]), float(shape[0])
    receptive_field = math.prod(shape[:-2])
    return float(shape[-2] * receptive_field), float(shape[-1] * receptive_field)


FanMode: TypeAlias = Literal["fan_in", "fan_out", "fan_avg"]
Distribution: TypeAlias = Literal["truncated_normal", "untruncated_normal", "uniform"]

TRUNCATED_DEVIATION = 0.87962566103423978
"""The standard deviation of a standard normal distribution cut at ±2."""


def truncated_normal(shape: tuple[int, ...], random: RandomStream) -> NDArray[np.float64]:
    """Standard normal numbers in [−2, 2]: those outside are drawn again."""
    values = np.atleast_1d(random.normal(shape))
    while (outside := np.abs(values) > 2.0).any():
        values[outside] = random.normal((int(outside.sum()),))
    return values.reshape(shape)


def scaled_values(
    shape: tuple[int, ...],
    random: RandomStream,
    scale: float,
    mode: FanMode,
    distribution: Distribution,
    *,
    corrected: bool = True,
) -> NDArray[np.float64]:
    """Random numbers of mean 0 and variance `scale / fan`; those of a truncated normal distribution have a smaller one
    unless they are `corrected`."""
    fan_in, fan_out = fans(shape)
    fan = {"fan_in": fan_in, "fan_out": fan_out, "fan_avg": (fan_in + fan_out) / 2}[mode]
    variance = scale / max(1.0, fan)
    if distribution == "uniform":
        limit = math.sqrt(3.0 * variance)
        return limit * (2.0 * random.uniform(shape) - 1.0)
    if distribution == "untruncated_normal":
        return math.sqrt(variance) * random.normal(shape)
    deviation = math.sqrt(variance) / (TRUNCATED_DEVIATION if corrected else 1.0)
    return deviation * truncated_normal(shape, random)


InitializerField: TypeAlias = Annotated[Initializer, PartField(INITIALIZERS)]
