"""Layout: a value's shape and type in, the bytes that it takes in memory and where a buffer may begin out."""

from __future__ import annotations

import math

from trainer_cli.ir.primitive import BATCH, Shape

ALIGNMENT = 64
"""Bytes: a cache line and a 512-bit vector."""

ITEM_SIZE = {"float": 4, "int": 4, "bool": 1}
"""Bytes of an element by its type."""


def elements(shape: Shape, batch_size: int) -> int:
    """The elements of a shape with so many rows in a batch."""
    return math.prod(batch_size if extent is BATCH else int(extent) for extent in shape)
