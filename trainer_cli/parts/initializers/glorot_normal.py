"""Glorot normal: a shape in, normally distributed numbers scaled by the weight's fans out."""

from __future__ import annotations

from trainer_cli.ir.random import RandomStream
from trainer_cli.lazy import NDArray, np
from trainer_cli.parts.initializer import Truncated, scaled_values


class GlorotNormal(Truncated):
    """Normal with variance `2 / (fan_in + fan_out)`, cut at two standard deviations (Glorot and Bengio,
    "Understanding the difficulty of training deep feedforward neural networks", 2010)."""

    def values(self, shape: tuple[int, ...], random: RandomStream) -> NDArray[np.float64]:
        return scaled_values(shape, random, 1.0, "fan_avg", "truncated_normal", corrected=self.corrected)
