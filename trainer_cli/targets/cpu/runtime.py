"""What every plan is made of: a thread's arguments in, its share of all steps done out.

`run` is the function that every thread calls. It interprets the program of a step: words that `program.py` writes, made
of calls of kernels, loops over time and barriers. Every function here that kernels' places are called by takes
`(begin, end, rows, words)`: a range of the first axis, the rows of the batch, and the kernel's arguments as words.
"""

from __future__ import annotations

import math

import numpy as np

from trainer_cli.targets.cpu.gemm import product, tiles
from trainer_cli.targets.cpu.intrinsics import (
    add_up,
    address_of,
    atomic_add,
    atomic_load,
    bits_double,
    bool_pointer,
    byte_pointer,
    call_address,
    clock,
    double_bits,
    double_pointer,
    float_pointer,
    flush_subnormals,
    inline_attributes,
    int_pointer,
    kernel_attributes,
    larger,
    offset,
    pause,
    restore_float_state,
    stack_floats,
    word_pointer,
    yield_processor,
)
from trainer_cli.targets.cpu.linking import linked
from trainer_cli.targets.cpu.mathematics import floor, sqrt
from trainer_cli.targets.cpu.program import Operation, Sharing
from trainer_cli.targets.cpu.randomness import random_uniform
from trainer_cli.targets.cpu.words import Word

__all__ = [
    "INFINITY",
    "NAN",
    "add_up",
    "bits_double",
    "bool_pointer",
    "byte_pointer",
    "double_bits",
    "double_pointer",
    "float32",
    "float64",
    "float_pointer",
    "floor",
    "inline_attributes",
    "int32",
    "int64",
    "int_pointer",
    "kernel_attributes",
    "larger",
    "linked",
    "offset",
    "product",
    "random_uniform",
    "sqrt",
    "stack_floats",
    "tiles",
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

SPINS = 256
"""Pauses before a waiting thread offers its core to others: a few microseconds, about one step's imbalance."""

# Constants of the interpreter.
_BARRIER, _COUNT, _BATCH, _STATUS = (int(word) for word in (Word.BARRIER, Word.COUNT, Word.BATCH, Word.STATUS))
_PROGRAM, _PROGRAM_END, _TICKS = (int(word) for word in (Word.PROGRAM, Word.PROGRAM_END, Word.TICKS))
_MEMORY, _MEMORY_SIZE, _TABLE_SIZE = (int(word) for word in (Word.MEMORY, Word.MEMORY_SIZE, Word.TABLE_SIZE))
_SCALARS, _FRAME = int(Word.SCALARS), int(Word.FRAME)
_LOCAL, _LOCAL_SIZE = int(Word.LOCAL), int(Word.LOCAL_SIZE)
_CALL, _COMPUTE, _WAIT, _LOOP, _REPEAT, _MOVE, _CHECK, _CHUNK, _NEXT, _LEAVE = map(int, Operation)
_ROWS, _SLICES, _SINGLE, _ = (int(sharing) for sharing in Sharing)


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
def _call(program, slots, frame, thread, threads, rows, low, high):
    """One call of a kernel for a thread's share, block by block or for all at once; of rows, from `low` to `high`."""
    address, sharing, extent, block, count = program[2], program[3], program[4], program[5], program[6]
    for i in range(count):
        frame[i] = slots[program[7 + 3 * i]] + program[8 + 3 * i] - low * program[9 + 3 * i]
    begin = 0
    end = extent
    if sharing == _ROWS:
        begin = low
        end = high
    elif sharing == _SLICES:
        shared = program[7 + 3 * count]
        begin = share(extent, shared, thread, threads)
        end = share(extent, shared, thread + 1, threads)
    elif sharing == _SINGLE and thread != 0:
        return
    if block == 0:
        call_address(address, begin, end, rows, frame)
    else:
        while begin < end:
            call_address(address, begin, min(begin + block, end), rows, frame)
            begin += block


@linked
def _move(program, slots, count, time):
    """Set places that move with time."""
    for i in range(count):
        slots[program[4 * i]] = slots[program[4 * i + 1]] + program[4 * i + 2] + time * program[4 * i + 3]


@linked
def run(thread, threads, unused, table):
    """Run a slice of an epoch: all its steps, as every thread does at the same time."""
    float_state = flush_subnormals()
    slots = word_pointer(table[_MEMORY] + thread * table[_MEMORY_SIZE] * 8)
    for i in range(table[_TABLE_SIZE]):
        slots[i] = table[i]
    slots[table[_TABLE_SIZE]] = 0
    slots[_LOCAL] = table[_LOCAL] + thread * table[_LOCAL_SIZE]
    frame, scalars = offset(slots, table[_FRAME]), table[_SCALARS]
    program, program_end = word_pointer(table[_PROGRAM]), table[_PROGRAM_END]
    barrier, status = word_pointer(table[_BARRIER]), word_pointer(table[_STATUS])
    ticks = word_pointer(table[_TICKS])
    timing = table[_TICKS] != 0 and thread == 0
    batch = table[_BATCH]
    steps = (table[_COUNT] + batch - 1) // batch
    arrivals = 0
    done = 0
    for n in range(steps):
        rows = min(batch, table[_COUNT] - n * batch)
        first = share(rows, 8, thread, threads)
        last = share(rows, 8, thread + 1, threads)
        low = first
        high = last
        at = 0
        while at < program_end:
            here = offset(program, at)
            operation = here[0]
            following = at + here[1]
            began = 0
            if timing:
                began = clock()
            if operation == _CALL:
                _call(here, slots, frame, thread, threads, rows, low, high)
            elif operation == _COMPUTE:
                call_address(here[2], n, slots_address(slots, scalars), rows, slots)
            elif operation == _WAIT:
                if threads > 1:
                    arrivals += threads
                    wait_for_all(barrier, arrivals)
            elif operation == _LOOP:
                slots[here[2]] = 0
                _move(offset(here, 6), slots, here[5], here[3])
            elif operation == _REPEAT:
                head = offset(program, at - here[2])
                time = slots[head[2]] + 1
                slots[head[2]] = time
                if time < here[3]:
                    _move(offset(head, 6), slots, head[5], head[3] + time * head[4])
                    following = at - here[2] + head[1]
            elif operation == _LEAVE:
                if slots[program[at - here[2] + 2]] + 1 == here[3]:
                    following = at + here[4]
            elif operation == _CHUNK:
                if here[3] != 0:
                    low = first + max(last - first - 1, 0) // here[2] * here[2]
                high = min(low + here[2], last)
            elif operation == _NEXT:
                low += here[3] if here[4] == 0 else -here[3]
                high = min(low + here[3], last)
                if first <= low and low < last:
                    following = at - here[2] + 4
                else:
                    low = first
                    high = last
            elif operation == _MOVE:
                _move(offset(here, 2), slots, 1, n)
            elif operation == _CHECK and thread == 0:
                # Not in one condition: both sides of `and` are computed.
                if not math.isfinite(double_pointer(slots[here[2]] + here[3])[0]):
                    status[0] = n + 1
            if timing:
                ticks[at] += clock() - began
            at = following
        done = n + 1
        # The number of the step, so that a thread that is slow to look does not stop a step early: all must agree.
        if status[0] != 0 and status[0] <= done:
            break
    if thread == 0:
        status[1] = done
    restore_float_state(float_state)


@linked
def slots_address(slots, place):
    """The address of one of a thread's words."""
    inline_attributes()
    return address_of(offset(slots, place))


# Kernels that every plan shares ------------------------------------------------------------------------------------


@linked
def gather_words(begin, end, rows, order, data, batch, width):
    """Copy the rows of `width` bytes that `order` names, from `data` to the batch."""
    kernel_attributes()
    for row in range(begin, end):
        source = offset(data, int64(order[row]) * width)
        target = offset(batch, row * width)
        for i in range(width):
            target[i] = source[i]


@linked
def gather_scaled(begin, end, rows, order, data, batch, width, scale):
    """Copy the rows of `width` bytes that `order` names, each times the scale, as floats."""
    kernel_attributes()
    for row in range(begin, end):
        source = offset(data, int64(order[row]) * width)
        target = offset(batch, row * width)
        for i in range(width):
            target[i] = float32(source[i]) * scale


@linked
def gather_parts(begin, end, rows, order, data, batch, width, part, row_step, part_step):
    """As `gather_words`, of all rows the parts of `part` bytes from `begin` to `end`; steps are those of the batch."""
    kernel_attributes()
    for row in range(rows):
        for number in range(begin, end):
            source = offset(data, int64(order[row]) * width + number * part)
            target = offset(batch, row * row_step + number * part_step)
            for i in range(part):
                target[i] = source[i]


@linked
def gather_scaled_parts(begin, end, rows, order, data, batch, width, part, row_step, part_step, scale):
    """As `gather_scaled`, of all rows the parts of `part` bytes from `begin` to `end`; steps are the batch's."""
    kernel_attributes()
    for row in range(rows):
        for number in range(begin, end):
            source = offset(data, int64(order[row]) * width + number * part)
            target = offset(batch, row * row_step + number * part_step)
            for i in range(part):
                target[i] = float32(source[i]) * scale


@linked
def copy_rows(begin, end, rows, source, target, width, source_step, target_step):
    """Copy rows of `width` bytes, which lie `source_step` and `target_step` apart."""
    kernel_attributes()
    for row in range(begin, end):
        here = offset(source, row * source_step)
        there = offset(target, row * target_step)
        for i in range(width):
            there[i] = here[i]


@linked
def sign(x):
    """-1, 0 or 1; a NaN stays."""
    inline_attributes()
    one = float32(1.0) if x > 0 else float32(-1.0)
    return x if x == 0 or x != x else one
