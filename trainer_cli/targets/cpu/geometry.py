"""The geometry of a convolution: extents and steps in, where windows and taps lie in memory out.

Apart from the native code, so that a known plan is loaded without the compiler.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

LEAST_CHANNELS = 8
"""Channels and filters of a group from which on squares are transformed: fewer leave vectors empty."""

MOST_CHANNELS = 512
"""Channels of a group up to which they are: their squares have to stay in the second-level cache."""

TRANSFORMED_FLOATS = 1 << 17
"""Floats of a transformed kernel that are in memory at the same time; 512 KB."""

MOST_FILTERS = 256
"""Filters that are taken together at most."""

WHOLE_VECTORS = 16
"""What a part of the filters must be a multiple of."""

GAIN = 0.75
"""Multiplications of the squares as a share of those of the taps, at most."""


@dataclass(frozen=True)
class Geometry:
    """A convolution without padding. `channels` and `filters` are those of one group."""

    space: tuple[int, ...]
    window: tuple[int, ...]
    strides: tuple[int, ...]
    dilation: tuple[int, ...]
    channels: int
    filters: int
    groups: int = 1

    @property
    def positions(self) -> tuple[int, ...]:
        """Extents of the result."""
        sizes = zip(self.space, self.window, self.strides, self.dilation, strict=True)
        return tuple((extent - (size - 1) * apart - 1) // step + 1 for extent, size, step, apart in sizes)

    @property
    def taps(self) -> int:
        return math.prod(self.window)

    @property
    def image(self) -> int:
        """Floats of one image."""
        return math.prod(self.space) * self.channels * self.groups

    def places(self) -> list[int]:
        """Where the window of every position begins within an image."""
        return [self._place(position, self.strides) for position in itertools.product(*map(range, self.positions))]

    def lines(self) -> list[int]:
        """The same for the first position of every run along the last axis."""
        lines = itertools.product(*map(range, self.positions[:-1]))
        return [self._place((*position, 0), self.strides) for position in lines]

    def tap_places(self, window: Sequence[int] | None = None) -> list[int]:
        """Where every tap lies within its window."""
        taps = itertools.product(*map(range, window or self.window))
        return [self._place(tap, self.dilation) for tap in taps]

    def _place(self, position: Sequence[int], steps: Sequence[int]) -> int:
        place, apart = 0, self.channels * self.groups
        for at, step, extent in reversed(list(zip(position, steps, self.space, strict=True))):
            place += at * step * apart
            apart *= extent
        return place

    def winograd_filters(self) -> int:
        """How many filters are taken together by `winograd.py`; 0 if squares of places are not to be transformed."""
        plain = self.window == (3, 3) and self.strides == (1, 1) and self.dilation == (1, 1)
        if not plain or min(self.channels, self.filters) < LEAST_CHANNELS or self.channels > MOST_CHANNELS:
            return 0
        squares = math.prod(-(-extent // 2) for extent in self.positions)
        if min(self.positions) < 2 or 16 * squares > GAIN * self.taps * math.prod(self.positions):
            return 0
        room = min(MOST_FILTERS, TRANSFORMED_FLOATS // (16 * self.channels))
        parts = [self.filters, *range(self.filters // WHOLE_VECTORS * WHOLE_VECTORS, 0, -WHOLE_VECTORS)]
        return next((part for part in parts if part <= room and self.filters % part == 0), 0)
