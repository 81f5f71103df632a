"""Words: what a plan tells its threads by name in, its place among the first words of the plan's table out."""

from __future__ import annotations

from enum import IntEnum


class Word(IntEnum):
    """The first words of a plan's table. Addresses, but for numbers of rows and steps."""

    ARENA = 0
    BARRIER = 1
    ORDER = 2
    COUNT = 3
    FIRST_STEP = 4
    SEED = 5
    HYPERPARAMETERS = 6
    TOTALS = 7
    STATUS = 8
    BATCH = 9
    PROGRAM = 10
    PROGRAM_END = 11
    TICKS = 12
    MEMORY = 13
    MEMORY_SIZE = 14
    TABLE_SIZE = 15
    SCALARS = 16
    FRAME = 17
    LOCAL = 18
    LOCAL_SIZE = 19
