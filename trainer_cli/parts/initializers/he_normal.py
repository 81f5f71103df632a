"""He normal: a shape in, normally distributed numbers scaled by the weight's fans out."""

from __future__ import annotations

from trainer_cli.ir.random import RandomStream
from trainer_cli.lazy import NDArray, np
from trainer_cli.parts.initializer import Truncated, scaled_values


class HeNormal(Truncated):
    """Normal with variance `2 / fan_in`, cut at two standard deviations (He, Zhang, Ren and Sun, "Delving deep into
    rectifiers", 2015)."""

    def values(self, shape: tuple[int, ...], random: RandomStream) -> NDArray[np.float64]:
        return scaled_values(shape, random, 2.0, "fan_in", "truncated_normal", corrected=self.corrected)
