"""Glorot uniform: a shape in, uniformly distributed numbers scaled by the weight's fans out."""

from __future__ import annotations

from trainer_cli.ir.random import RandomStream
from trainer_cli.lazy import NDArray, np
from trainer_cli.parts.initializer import Initializer, scaled_values


class GlorotUniform(Initializer):
    """Uniform in ±√(6 / (fan_in + fan_out)), that is with variance `2 / (fan_in + fan_out)` (Glorot and Bengio,
    "Understanding the difficulty of training deep feedforward neural networks", 2010)."""

    def values(self, shape: tuple[int, ...], random: RandomStream) -> NDArray[np.float64]:
        return scaled_values(shape, random, 1.0, "fan_avg", "uniform")
