"""The table of primitive operations, one file per family; importing the package fills the table."""

from trainer_cli.ir.ops import (
    convolution,
    elementwise,
    indexing,
    leaves,
    loops,
    normalizations,
    products,
    randomness,
    reductions,
    structure,
    subtotals,
    windows,
)

__all__ = [
    "convolution",
    "elementwise",
    "indexing",
    "leaves",
    "loops",
    "normalizations",
    "products",
    "randomness",
    "reductions",
    "structure",
    "subtotals",
    "windows",
]
