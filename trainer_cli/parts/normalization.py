"""What normalizing layers share: a value and axes in, its mean, its variance and its learned scale and offset out."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TypeAlias

from trainer_cli.ir import language as ir
from trainer_cli.ir.graph import Value
from trainer_cli.parts.formulas import misfit_axis, over_places
from trainer_cli.parts.layer import LayerScope
from trainer_cli.parts.part import IntegerList

Axes: TypeAlias = int | IntegerList
"""One axis or several, the batch axis being 0, negative ones counted from the end."""


def counted_axes(scope: LayerScope, part: str, axes: Axes, x: Value) -> tuple[int, ...]:
    """The axes from the first to the last, counted from 0. Stops with a config error for the batch axis."""
    listed = (axes,) if isinstance(axes, int) else axes
    for axis in listed:
        misfit = misfit_axis(part, axis, x.shape)
        if misfit is not None:
            scope.refuse(misfit, field="axis")
    counted = tuple(sorted(axis % x.rank for axis in listed))
    if len(set(counted)) < len(counted):
        scope.refuse(f"`axis` names one axis twice: {listed}", field="axis")
    return counted


def extents(x: Value, axes: Sequence[int]) -> tuple[int, ...]:
    """The extents along axes that are not the batch's: the shape of a weight with a number for each place there."""
    return tuple(int(x.shape[axis]) for axis in axes)


def along(weight: Value, x: Value, axes: Sequence[int]) -> Value:
    """A weight of the extents along some axes of x, in a shape that broadcasts with x."""
    shape = [1] * (x.rank - axes[0])
    for axis in axes:
        shape[axis - axes[0]] = int(x.shape[axis])
    return ir.reshape(weight, tuple(shape))


def batch_mean(x: Value, axes: Sequence[int], mask: Value | None = None) -> Value:
    """The mean over the batch and all axes but the given ones: `(batch, …)` → their extents.

    A mask `(batch, …)` leaves places out; where it leaves none, the mean is 0. Each row is summed up first. That is
    work which threads share, and short sums lose fewer digits.
    """
    inner = tuple(axis for axis in range(1, x.rank) if axis not in axes)
    weights = None if mask is None else over_places(ir.cast(mask, "float"), x)
    counted = x if weights is None else x * weights
    rows = ir.reduce_sum(counted, inner) if inner else counted
    if weights is None:
        return ir.reduce_sum(rows, 0) / (ir.batch_size(x.graph) * float(math.prod(extents(x, inner))))
    counts = ir.reduce_sum(weights, inner) if inner else weights
    return ir.reduce_sum(rows, 0) / ir.maximum(ir.reduce_sum(counts, 0), 1.0)
