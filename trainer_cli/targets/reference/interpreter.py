"""The interpreter: values and arrays for the leaves by name in, NumPy arrays out, in float64 or float32."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from trainer_cli.ir.evaluation import run
from trainer_cli.ir.graph import LEAVES, Value, reachable
from trainer_cli.ir.primitive import Array, Context
from trainer_cli.lazy import DTypeLike


def evaluate(
    values: Sequence[Value],
    bindings: Mapping[str, Any],
    rows: int,
    precision: DTypeLike = np.float64,
    watch: Callable[[Value, Array], None] | None = None,
) -> list[Array]:
    """The arrays of the values for one batch of `rows` rows.

    `bindings` gives inputs, weights, states and hyperparameters by name, and `step` and `seed` (0 if absent).
    Floats are computed in `precision`; raises KeyError for a leaf that is not bound.
    """
    context = Context(rows, precision)
    leaves: dict[Value, Array] = {}
    for value in reachable(values):
        if value.op not in LEAVES or value.op == "constant":
            continue
        if value.op == "batch_size":
            leaves[value] = np.asarray(rows, dtype=precision)
        elif value.op in ("step", "seed"):
            leaves[value] = np.asarray(bindings.get(value.op, 0), dtype=np.int64)
        else:
            leaves[value] = np.asarray(bindings[value.name], dtype=context.dtype(value.dtype))
    # NaN and infinity are results like others here: the loss is tested for them.
    with np.errstate(all="ignore"):
        return run(values, leaves, context, watch)
