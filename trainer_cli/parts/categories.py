"""What layers of categories share: whole numbers in, indicators or counts of them out."""

from __future__ import annotations

from typing import Literal, TypeAlias

from trainer_cli.ir import language as ir
from trainer_cli.ir.graph import Value
from trainer_cli.parts.layer import LayerScope

Encoding: TypeAlias = Literal["one_hot", "multi_hot", "count"]


def check_whole(scope: LayerScope, x: Value) -> None:
    """Stop with a config error for an input that is not whole numbers."""
    if x.dtype != "int":
        hint = "begin the architecture with {type: input, shape: […], dtype: int32}"
        scope.refuse("takes whole numbers, its input is float", hint=hint)


def encoded(indices: Value, depth: int, mode: Encoding) -> Value:
    """Whole numbers from 0 to `depth − 1` as indicators; others give zeros.

    `one_hot`: an indicator for each number, `(batch, …)` → `(batch, …, depth)`, a last extent of 1 making place for it;
    `multi_hot`: whether a number stands among those of the first axis behind the batch, `(batch, places, …)` →
    `(batch, …, depth)`; `count`: how often it does. A single number per sample counts as a list of one.
    """
    if mode == "one_hot":
        single = indices.rank > 1 and indices.shape[-1] == 1
        return ir.one_hot(ir.reshape(indices, indices.shape[:-1]) if single else indices, depth)
    if indices.rank == 1:
        return ir.one_hot(indices, depth)
    indicators = ir.one_hot(indices, depth)
    return ir.reduce_sum(indicators, 1) if mode == "count" else ir.reduce_max(indicators, 1)
