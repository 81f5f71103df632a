"""The length of vectors: a value and axes in, the same value with vectors of length 1 along them out."""

from __future__ import annotations

from collections.abc import Sequence

from trainer_cli.ir import language as ir
from trainer_cli.ir.graph import Value


def unit_length(x: Value, axes: int | Sequence[int] | None = -1) -> Value:
    """`x / ‖x‖`, the Euclidean norm taken along axes; vectors of zeros stay as they are, with the gradient of x."""
    squares = ir.reduce_sum(ir.square(x), axes, keepdims=True)
    return x / ir.sqrt(ir.select(ir.greater(squares, 0.0), squares, 1.0))
