"""Overlap of memberships: targets and a prediction in, sums over samples and places for losses such as Dice out."""

from __future__ import annotations

from typing import TypeAlias

from trainer_cli.ir import language as ir
from trainer_cli.ir.graph import Value
from trainer_cli.parts.formulas import over_places
from trainer_cli.parts.loss import Finding, Prediction

Axes: TypeAlias = "int | tuple[int, ...] | None"


def masked(target: Value, prediction: Prediction) -> tuple[Value, Value]:
    """Target and prediction with 0 wherever the mask names padding; both `(batch, …)`."""
    found, mask = prediction.value, prediction.mask
    if mask is None or mask.rank > found.rank:
        return target, found
    counted = ir.equal(over_places(ir.cast(mask, "float"), found), 1.0)
    # A choice, because what stands at padding may be NaN.
    return ir.select(counted, target, 0.0), ir.select(counted, found, 0.0)


def summed(x: Value, axis: Axes) -> Value:
    """The sum over axes, counted from either end; None: over all, the batch included."""
    return ir.reduce_sum(x, axis)


def over_rows(axis: Axes, rank: int) -> bool:
    """Whether sums over these axes are over the batch's rows too."""
    return axis is None or any(each in (0, -rank) for each in ((axis,) if isinstance(axis, int) else axis))


def per_sample(x: Value, prediction: Prediction) -> Value:
    """A value of any shape as `(batch, …)`: one that has lost the batch axis gives every sample its mean."""
    if x.batched:
        return x
    return ir.broadcast_to(ir.reduce_mean(x), (prediction.value.shape[0],))


def misfit(loss: str, axis: Axes, prediction: Prediction) -> list[Finding]:
    """What speaks against sums over these axes: ones that the output does not have."""
    rank = prediction.value.rank
    given = () if axis is None else (axis,) if isinstance(axis, int) else axis
    wrong = [each for each in given if not -rank <= each < rank]
    if wrong:
        message = f"`{loss}` sums over axis {wrong[0]}, but the output's axes end at {rank - 1}"
        return [Finding("impossible", message, "axis 0 is the batch")]
    if len({each % rank for each in given}) != len(given) or (axis is not None and not given):
        return [Finding("impossible", f"`{loss}` needs each axis once", "leave `axis` out for all axes")]
    return []
