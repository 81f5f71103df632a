"""What every emitted plan imports: barrier, shares of work, gathering of rows, random numbers, element functions."""

from __future__ import annotations

import numpy as np

from trainer_cli.ir.random import PARITY, ROTATIONS
from trainer_cli.targets.cpu.intrinsics import (
    atomic_add,
    atomic_load,
    bool_pointer,
    byte_pointer,
    double_pointer,
    float_pointer,
    flush_subnormals,
    inline_attributes,
    int_pointer,
    kernel_attributes,
    offset,
    pause,
    restore_float_state,
    stack_floats,
    word_pointer,
    yield_processor,
)
from trainer_cli.targets.cpu.gemm import product
from trainer_cli.targets.cpu.linking import OPTIONS, linked

__all__ = [
    "INFINITY",
    "OPTIONS",
    "bool_pointer",
    "byte_pointer",
    "double_pointer",
    "float32",
    "float_pointer",
    "flush_subnormals",
    "inline_attributes",
    "int32",
    "int_pointer",
    "kernel_attributes",
    "linked",
    "offset",
    "product",
    "restore_float_state",
    "stack_floats",
    "uint8",
    "word_pointer",
]

float32 = np.float32
float64 = np.float64
int32 = np.int32
uint8 = np.uint8
INFINITY = float("inf")
sqrt = np.sqrt
floor = np.floor

SPINS = 4096
"""Pauses before a waiting thread offers its core to others: about 100 µs, far more than a step's imbalance."""


@linked
def wait_for_all(words, arrivals):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """The barrier: `words[0]` counts arrivals for ever; everyone waits until it reaches `arrivals`."""
    atomic_add(words, 1)
    spins = 0
    while atomic_load(words) < arrivals:
        pause()
        spins += 1
        if spins >= SPINS:
            yield_processor()
            spins = 0


@linked
def share(extent, block, thread, threads):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """The first of `extent` items that belongs to a thread; threads take whole blocks."""
    blocks = (extent + block - 1) // block
    return min(blocks * thread // threads * block, extent)


@linked
def gather_floats(order, begin, end, width, data, rows):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """Copy the rows that `order` names into the batch."""
    kernel_attributes()
    for row in range(begin, end):
        source = offset(data, order[row] * width)
        target = offset(rows, row * width)
        for column in range(width):
            target[column] = source[column]


@linked
def gather_bytes(order, begin, end, width, scale, data, rows):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """Copy the rows that `order` names into the batch, from bytes to scaled floats."""
    kernel_attributes()
    for row in range(begin, end):
        source = offset(data, order[row] * width)
        target = offset(rows, row * width)
        for column in range(width):
            target[column] = float32(source[column]) * scale


@linked
def copy_rows(begin, end, width, rows, output):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """Copy rows of the batch to the caller's array."""
    kernel_attributes()
    for i in range(begin * width, end * width):
        output[i] = rows[i]


@linked
def sign(x):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """-1, 0 or 1; a NaN stays."""
    inline_attributes()
    one = float32(1.0) if x > 0 else float32(-1.0)
    return x if x == 0 or x != x else one


_R = [np.uint32(rotation) for rotation in ROTATIONS]
_PARITY = np.uint32(PARITY)


@linked
def _turn(x, rotation):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    return np.uint32((x << rotation) | (x >> (np.uint32(32) - rotation)))


_R0, _R1, _R2, _R3, _R4, _R5, _R6, _R7 = _R
_ONE, _TWO, _THREE, _FOUR, _FIVE = (np.uint32(n) for n in range(1, 6))


@linked
def random_uniform(seed, stream, step, element):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """24 bits of Threefry-2x32-20 under the key (seed, stream) at the counter (step, element), in [0, 1)."""
    inline_attributes()
    key_0 = np.uint32(seed)
    key_1 = np.uint32(stream)
    key_2 = np.uint32(key_0 ^ key_1 ^ _PARITY)
    x = np.uint32(np.uint32(step) + key_0)
    y = np.uint32(np.uint32(element) + key_1)
    # Five groups of four rounds, the key injected behind each.
    x = np.uint32(x + y); y = np.uint32(_turn(y, _R0) ^ x)  # noqa: E702
    x = np.uint32(x + y); y = np.uint32(_turn(y, _R1) ^ x)  # noqa: E702
    x = np.uint32(x + y); y = np.uint32(_turn(y, _R2) ^ x)  # noqa: E702
    x = np.uint32(x + y); y = np.uint32(_turn(y, _R3) ^ x)  # noqa: E702
    x = np.uint32(x + key_1); y = np.uint32(y + key_2 + _ONE)  # noqa: E702
    x = np.uint32(x + y); y = np.uint32(_turn(y, _R4) ^ x)  # noqa: E702
    x = np.uint32(x + y); y = np.uint32(_turn(y, _R5) ^ x)  # noqa: E702
    x = np.uint32(x + y); y = np.uint32(_turn(y, _R6) ^ x)  # noqa: E702
    x = np.uint32(x + y); y = np.uint32(_turn(y, _R7) ^ x)  # noqa: E702
    x = np.uint32(x + key_2); y = np.uint32(y + key_0 + _TWO)  # noqa: E702
    x = np.uint32(x + y); y = np.uint32(_turn(y, _R0) ^ x)  # noqa: E702
    x = np.uint32(x + y); y = np.uint32(_turn(y, _R1) ^ x)  # noqa: E702
    x = np.uint32(x + y); y = np.uint32(_turn(y, _R2) ^ x)  # noqa: E702
    x = np.uint32(x + y); y = np.uint32(_turn(y, _R3) ^ x)  # noqa: E702
    x = np.uint32(x + key_0); y = np.uint32(y + key_1 + _THREE)  # noqa: E702
    x = np.uint32(x + y); y = np.uint32(_turn(y, _R4) ^ x)  # noqa: E702
    x = np.uint32(x + y); y = np.uint32(_turn(y, _R5) ^ x)  # noqa: E702
    x = np.uint32(x + y); y = np.uint32(_turn(y, _R6) ^ x)  # noqa: E702
    x = np.uint32(x + y); y = np.uint32(_turn(y, _R7) ^ x)  # noqa: E702
    x = np.uint32(x + key_1); y = np.uint32(y + key_2 + _FOUR)  # noqa: E702
    x = np.uint32(x + y); y = np.uint32(_turn(y, _R0) ^ x)  # noqa: E702
    x = np.uint32(x + y); y = np.uint32(_turn(y, _R1) ^ x)  # noqa: E702
    x = np.uint32(x + y); y = np.uint32(_turn(y, _R2) ^ x)  # noqa: E702
    x = np.uint32(x + y); y = np.uint32(_turn(y, _R3) ^ x)  # noqa: E702
    x = np.uint32(x + key_2)
    return float32(np.int32(x >> np.uint32(8))) * float32(2.0**-24)
