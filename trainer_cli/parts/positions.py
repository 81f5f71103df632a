"""What layers on sequences of vectors share: a value in, the length of its sequences and of their vectors out."""

from __future__ import annotations

from trainer_cli.ir.graph import Value
from trainer_cli.parts.layer import LayerScope


def sequence_of_vectors(scope: LayerScope, x: Value, what: str = "its input") -> tuple[int, int]:
    """The extents of `(batch, time, features)`. Stops with a config error for a value of another rank or of ints."""
    if x.dtype != "float":
        scope.refuse(f"{what} is whole numbers", hint="an `embedding` turns them into vectors")
    if x.rank != 3:
        scope.refuse(f"needs sequences of vectors, rows of shape (time, features), and {what} has {x.shape[1:]}")
    return int(x.shape[1]), int(x.shape[2])
