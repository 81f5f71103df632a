"""Hard SiLU: a value in, the value times its hard sigmoid out."""

from __future__ import annotations

import math

from trainer_cli.ir import language as ir
from trainer_cli.ir.graph import Value
from trainer_cli.parts.activation import Activation

ALIASES = ("hard_swish", "hard_si_lu")


class HardSilu(Activation):
    """`x · clip(x/6 + 1/2, 0, 1)`, element by element (Howard et al., "Searching for MobileNetV3", 2019)."""

    @property
    def interval(self) -> tuple[float, float]:
        return (-0.375, math.inf)

    def apply(self, x: Value) -> Value:
        return x * ir.clip(x * (1.0 / 6.0) + 0.5, 0.0, 1.0)
