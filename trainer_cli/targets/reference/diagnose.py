"""A training step whose result is not finite in; the layer and the operation that made the first such value out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from trainer_cli.compiler.program import LOSS_TOTAL, Program
from trainer_cli.data.source import Split
from trainer_cli.ir.graph import Value, reachable
from trainer_cli.lazy import NDArray
from trainer_cli.targets.reference.executable import batch_leaves
from trainer_cli.targets.reference.interpreter import evaluate

_LEAVES = {"input": "input", "weight": "weight", "state": "optimizer state", "hyperparameter": "hyper-parameter"}


def first_nonfinite(
    program: Program,
    state: Mapping[str, NDArray[Any]],
    split: Split,
    rows: NDArray[np.int32],
    step: int,
    hyperparameters: Mapping[str, float],
    seed: int,
) -> str | None:
    """Where the first NaN or infinity of one training step comes from, in words; None if all is finite.

    `state` is that before the step, `rows` are those of the batch, `step` counts the updates before.
    The step is interpreted in float32, since what overflows there may be finite in float64.
    """
    graph = program.train
    if graph is None:
        return None
    given: dict[str, Any] = {**hyperparameters, **state}
    with np.errstate(over="ignore"):  # a number such as a learning rate may itself be beyond float32
        leaves = {name: _in_float32(np.asarray(value)) for name, value in given.items()}
    leaves |= {name: _in_float32(array) for name, array in batch_leaves(program, split, rows).items()}
    roots = graph.roots()
    damaged = {value for value in reachable(roots) if value.op in _LEAVES and not np.isfinite(leaves[value.name]).all()}

    def watch(value: Value, result: NDArray[Any]) -> None:
        if result.dtype.kind == "f" and not np.isfinite(result).all():
            damaged.add(value)

    evaluate(roots, {**leaves, "step": step, "seed": seed}, len(rows), np.float32, watch)
    loss = graph.outputs[LOSS_TOTAL]
    origin = _origin([loss] if loss in damaged else [root for root in roots if root in damaged], damaged)
    return None if origin is None else _words(origin)


def _in_float32(array: NDArray[Any]) -> NDArray[Any]:
    """An array in the precision of the step; whole numbers stay what they are."""
    return array if array.dtype.kind == "i" else array.astype(np.float32)


def _origin(roots: list[Value], damaged: set[Value]) -> Value | None:
    """The first damaged value that a root inherits its damage from.

    An infinity that a `select` discards on the way, such as the logarithm of 0, harms nothing and is passed over:
    only operands of damaged values are followed, and of these only damaged ones.
    """
    origins = []
    seen: set[Value] = set()
    stack = list(roots)
    while stack:
        value = stack.pop()
        if value in seen:
            continue
        seen.add(value)
        causes = [operand for operand in value.operands if operand in damaged]
        stack.extend(causes)
        if not causes:
            origins.append(value)
    return min(origins, key=lambda value: value.index, default=None)


def _words(value: Value) -> str:
    if value.op in _LEAVES:
        return f"the {_LEAVES[value.op]} `{value.name}`"
    return f"layer `{value.layer}` ({value.op})" if value.layer else f"the operation `{value.op}`"
