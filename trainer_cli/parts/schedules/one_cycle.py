"""One cycle: the count of updates in, a rate that rises to its highest value and falls to nearly nothing out."""

from __future__ import annotations

import math
from typing import Literal

from pydantic import Field

from trainer_cli.ir import language as ir
from trainer_cli.ir.graph import Value
from trainer_cli.parts.schedule import RateScope, Schedule

ALIASES = ("one_cycle_lr", "OneCycleLR")


class OneCycle(Schedule):
    """The 1cycle policy (Smith and Topin, "Super-convergence: very fast training of neural networks using large
    learning rates", 2018), with the rates and names of PyTorch's OneCycleLR. Momentum stays as it is.

    Of N updates the first `p·N` go from `h/d` up to the highest rate h, the others down to `h/(d·e)`; with
    `three_phase` the next `p·N` go back to `h/d`, and the rest on to `h/(d·e)`, where the rate stays.
    """

    max_learning_rate: float = Field(gt=0, description="highest rate h")
    total_steps: float = Field(gt=1, description="number N of updates of the cycle")
    pct_start: float = Field(default=0.3, gt=0, lt=1, description="share p of the updates in which the rate rises")
    anneal_strategy: Literal["cos", "linear"] = Field(default="cos", description="along half a cosine or a line")
    div_factor: float = Field(default=25.0, gt=0, description="d: the highest rate divided by the first")
    final_div_factor: float = Field(default=1e4, gt=0, description="e: the first rate divided by the last")
    three_phase: bool = Field(default=False, description="fall to the first rate as fast as the rate rose")

    def rate(self, scope: RateScope) -> Value:
        last = scope.hyperparameter("total_steps") - 1.0
        top = scope.hyperparameter("pct_start") * scope.hyperparameter("total_steps") - 1.0
        highest = scope.hyperparameter("max_learning_rate")
        first = highest / scope.hyperparameter("div_factor")
        end = first / scope.hyperparameter("final_div_factor")
        if self.three_phase:
            back = 2.0 * top
            falling = self._between(scope, top, back, highest, first)
            rest = self._between(scope, back, last, first, end)
            behind = ir.select(ir.less_equal(scope.step, back), falling, rest)
        else:
            behind = self._between(scope, top, last, highest, end)
        rising = self._between(scope, ir.zeros_like(top), top, first, highest)
        return ir.select(ir.less_equal(scope.step, top), rising, behind)

    def _between(self, scope: RateScope, begin: Value, end: Value, first: Value, last: Value) -> Value:
        """The rate on the way from `first` to `last`, which is taken from step `begin` to step `end`."""
        part = ir.clip((scope.step - begin) / ir.maximum(end - begin, 1e-6), 0.0, 1.0)
        if self.anneal_strategy == "linear":
            return first + (last - first) * part
        return last + (first - last) * (0.5 * (1.0 + ir.cos(part * math.pi)))
