"""Variance scaling: a shape in, random numbers whose variance follows from the number of inputs or outputs out."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from trainer_cli.ir.random import RandomStream
from trainer_cli.lazy import NDArray, np
from trainer_cli.parts.initializer import Distribution, FanMode, Truncated, scaled_values


class VarianceScaling(Truncated):
    """Random numbers of mean 0 and variance `scale / n`, n being the fan that `mode` names (He, Zhang, Ren and Sun,
    "Delving deep into rectifiers", 2015)."""

    scale: float = Field(default=1.0, gt=0, description="factor on the variance")
    mode: FanMode = Field(default="fan_in", description="what divides the variance: inputs, outputs or their mean")
    distribution: Distribution | Literal["normal"] = Field(
        default="truncated_normal", description="form of the distribution; `normal` means `truncated_normal`"
    )

    def values(self, shape: tuple[int, ...], random: RandomStream) -> NDArray[np.float64]:
        distribution = "truncated_normal" if self.distribution == "normal" else self.distribution
        return scaled_values(shape, random, self.scale, self.mode, distribution, corrected=self.corrected)
