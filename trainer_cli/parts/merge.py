"""What layers share that merge several values: values of shapes that broadcast in, the same values aligned out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import ClassVar

from trainer_cli.ir import language as ir
from trainer_cli.ir.graph import Value
from trainer_cli.parts.layer import Layer, LayerScope, MaskUse


class Merge(Layer):
    """A function of several values, element by element, their shapes broadcast as Keras does it.

    Axes of the batch stay together: `(batch, 3)` and `(batch, 5, 3)` meet as `(batch, 1, 3)` and `(batch, 5, 3)`.
    """

    mask_use: ClassVar[MaskUse] = "keeps"

    input_count: ClassVar[tuple[int, int | None]] = (2, None)


def aligned(scope: LayerScope, inputs: Sequence[Value]) -> list[Value]:
    """The inputs with one rank, axes of extent 1 put behind the batch axis, and with one type.

    Stops with a config error if extents differ where neither is 1.
    """
    rank = max(x.rank for x in inputs)
    same = [ir.reshape(x, (*x.shape[:1], *(1,) * (rank - x.rank), *x.shape[1:])) for x in inputs]
    for axis in range(1, rank):
        if len({x.shape[axis] for x in same} - {1}) > 1:
            scope.refuse(
                f"its inputs of shape {shapes(inputs)} do not broadcast",
                hint="extents must be equal, or 1, counted from the last axis",
            )
    return together(same)


def together(inputs: Sequence[Value]) -> list[Value]:
    """The inputs with one type: floats where one of them is float."""
    kinds = {x.dtype for x in inputs}
    return list(inputs) if len(kinds) == 1 else [ir.cast(x, "float") for x in inputs]


def shapes(inputs: Sequence[Value]) -> str:
    """The shapes of rows, for messages: `(5, 3) and (3,)`."""
    shown = [str(x.shape[1:]) for x in inputs]
    return f"{', '.join(shown[:-1])} and {shown[-1]}" if len(shown) > 1 else shown[0]


def accumulate(scope: LayerScope, inputs: Sequence[Value], combine: Callable[[Value, Value], Value]) -> Value:
    """Combine the aligned inputs from the first to the last."""
    result, *others = aligned(scope, inputs)
    for other in others:
        result = combine(result, other)
    return result
