"""Memory for plans: a size in, a NumPy array that begins at a cache line out."""

from __future__ import annotations

import math

import numpy as np

from trainer_cli.compiler.layout import ALIGNMENT
from trainer_cli.lazy import NDArray


def aligned_bytes(size: int) -> NDArray[np.uint8]:
    """Zeroed bytes that begin at a multiple of ALIGNMENT."""
    raw = np.zeros(size + ALIGNMENT, dtype=np.uint8)
    start = -raw.ctypes.data % ALIGNMENT
    return raw[start : start + size]


def aligned_floats(shape: tuple[int, ...]) -> NDArray[np.float32]:
    """Zeroed float32 that begin at a multiple of ALIGNMENT."""
    return aligned_bytes(max(1, math.prod(shape)) * 4)[: math.prod(shape) * 4].view(np.float32).reshape(shape)
