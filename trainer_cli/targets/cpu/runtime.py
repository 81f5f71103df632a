"""What every emitted plan imports: a thread's arguments in, barriers, shares of work, gathered rows out."""

from __future__ import annotations

import numpy as np

from trainer_cli.targets.cpu.gemm import product
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
from trainer_cli.targets.cpu.linking import OPTIONS, linked
from trainer_cli.targets.cpu.randomness import random_uniform

__all__ = [
    "INFINITY",
    "NAN",
    "OPTIONS",
    "bool_pointer",
    "byte_pointer",
    "double_pointer",
    "float32",
    "float64",
    "float_pointer",
    "flush_subnormals",
    "inline_attributes",
    "int32",
    "int64",
    "int_pointer",
    "kernel_attributes",
    "linked",
    "offset",
    "product",
    "random_uniform",
    "restore_float_state",
    "stack_floats",
    "uint8",
    "word_pointer",
]

float32 = np.float32
float64 = np.float64
int32 = np.int32
int64 = np.int64
uint8 = np.uint8
INFINITY = float("inf")
NAN = float("nan")
sqrt = np.sqrt
floor = np.floor

SPINS = 256
"""Pauses before a waiting thread offers its core to others: a few microseconds, about one step's imbalance."""


@linked
def wait_for_all(words, arrivals):
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
def share(extent, block, thread, threads):
    """The first of `extent` items that belongs to a thread; threads take whole blocks."""
    blocks = (extent + block - 1) // block
    return min(blocks * thread // threads * block, extent)


@linked
def gather_floats(order, begin, end, width, data, rows):
    """Copy the rows that `order` names into the batch."""
    kernel_attributes()
    for row in range(begin, end):
        source = offset(data, order[row] * width)
        target = offset(rows, row * width)
        for column in range(width):
            target[column] = source[column]


@linked
def gather_bytes(order, begin, end, width, scale, data, rows):
    """Copy the rows that `order` names into the batch, from bytes to scaled floats."""
    kernel_attributes()
    for row in range(begin, end):
        source = offset(data, order[row] * width)
        target = offset(rows, row * width)
        for column in range(width):
            target[column] = float32(source[column]) * scale


@linked
def copy_rows(begin, end, width, rows, output):
    """Copy rows of the batch to the caller's array."""
    kernel_attributes()
    for i in range(begin * width, end * width):
        output[i] = rows[i]


@linked
def take_step(begin, end, width, length, time, sequence, step):
    """Copy one step of a sequence `(rows, length, width)` to `(rows, width)`."""
    kernel_attributes()
    for row in range(begin, end):
        source = offset(sequence, (row * length + time) * width)
        target = offset(step, row * width)
        for column in range(width):
            target[column] = source[column]


@linked
def put_step(begin, end, width, length, time, sequence, step):
    """Copy `(rows, width)` to one step of a sequence `(rows, length, width)`."""
    kernel_attributes()
    for row in range(begin, end):
        target = offset(sequence, (row * length + time) * width)
        source = offset(step, row * width)
        for column in range(width):
            target[column] = source[column]


@linked
def sign(x):
    """-1, 0 or 1; a NaN stays."""
    inline_attributes()
    one = float32(1.0) if x > 0 else float32(-1.0)
    return x if x == 0 or x != x else one
