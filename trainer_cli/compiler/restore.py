"""Scaled targets and predictions in, the same in the units of the data, for metrics, out."""

from __future__ import annotations

from trainer_cli.data.target_scaling import TargetScaling
from trainer_cli.ir import language as ir
from trainer_cli.ir.graph import Value
from trainer_cli.lazy import np


def restored(value: Value, scaling: TargetScaling) -> Value:
    """`exp(x·divisor + offset)`, without the exponential where no logarithm was taken: `(batch, …)` in both."""
    shape = (1, *(int(extent) for extent in value.shape[1:]))
    divisor = ir.constant(value.graph, np.reshape(scaling.divisor, shape))
    offset = ir.constant(value.graph, np.reshape(scaling.offset, shape))
    result = value * divisor + offset
    if scaling.mode in ("log", "log1p"):
        result = ir.exp(result)
    return result - 1.0 if scaling.mode == "log1p" else result
