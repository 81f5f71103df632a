"""LeCun normal: a shape in, normally distributed numbers scaled by the weight's fans out."""

from __future__ import annotations

from trainer_cli.ir.random import RandomStream
from trainer_cli.lazy import NDArray, np
from trainer_cli.parts.initializer import Truncated, scaled_values

ALIASES = ("le_cun_normal",)


class LecunNormal(Truncated):
    """Normal with variance `1 / fan_in`, cut at two standard deviations (LeCun, Bottou, Orr and Müller, "Efficient
    backprop", 1998)."""

    def values(self, shape: tuple[int, ...], random: RandomStream) -> NDArray[np.float64]:
        return scaled_values(shape, random, 1.0, "fan_in", "truncated_normal", corrected=self.corrected)
