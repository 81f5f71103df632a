"""Piecewise constant decay: the count of updates in, the rate of the stretch that it falls into out."""

from __future__ import annotations

from itertools import pairwise

from pydantic import Field, model_validator

from trainer_cli.ir import language as ir
from trainer_cli.ir.graph import Value
from trainer_cli.parts.families import Refusal, refusal
from trainer_cli.parts.schedule import Numbers, RateScope, Schedule


class PiecewiseConstantDecay(Schedule):
    """Keras's PiecewiseConstantDecay: after t updates the first value for `t ≤ boundaries[0]`, the second for
    `t ≤ boundaries[1]`, …, and the last one from there on."""

    boundaries: Numbers = Field(min_length=1, description="numbers of updates at which stretches end, increasing")
    values: Numbers = Field(description="the rates of the stretches: one more than boundaries")

    @model_validator(mode="after")
    def _stretches_fit(self) -> PiecewiseConstantDecay:
        bounds = self.boundaries
        if any(first >= second for first, second in pairwise(bounds)):
            raise refusal([Refusal("boundaries_refused", "`boundaries` must increase", where=("boundaries",))])
        if len(self.values) != len(bounds) + 1:
            message = f"{len(bounds)} boundaries make {len(bounds) + 1} stretches, but there are {len(self.values)}"
            raise refusal([Refusal("values_refused", f"{message} values", where=("values",))])
        if min(self.values) <= 0:
            raise refusal([Refusal("values_refused", "a learning rate is above 0", where=("values",))])
        return self

    def rate(self, scope: RateScope) -> Value:
        *earlier, rate = scope.hyperparameters("values")
        for value, boundary in zip(reversed(earlier), reversed(scope.hyperparameters("boundaries")), strict=True):
            rate = ir.select(ir.less_equal(scope.step, boundary), value, rate)
        return rate
