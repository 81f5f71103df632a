"""Where images, sequences and volumes have their places: a value in, its extents between batch and channels out."""

from __future__ import annotations

from trainer_cli.ir.graph import Value
from trainer_cli.parts.layer import LayerScope


def space_of(scope: LayerScope, x: Value, dimensions: int) -> tuple[int, ...]:
    """The extents between batch and channels. Stops with a config error if there is another number of them."""
    if x.rank != dimensions + 2:
        names = {1: "(steps, channels)", 2: "(height, width, channels)", 3: "(depth, height, width, channels)"}
        hint = "a `reshape` layer can give rows the axis of channels" if x.rank == dimensions + 1 else None
        scope.refuse(f"takes rows of shape {names[dimensions]}, not {x.shape[1:]}", hint=hint)
    return tuple(int(extent) for extent in x.shape[1:-1])
