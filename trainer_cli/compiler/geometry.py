"""The geometry of a convolution: a value in, where its windows and taps lie in memory and how to multiply them out."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from trainer_cli.ir.graph import Value

LEAST_CHANNELS = 8
"""Channels and filters of a group from which on squares are transformed: fewer leave vectors empty."""

MOST_CHANNELS = 256
"""Channels of a group up to which they are: of more, the transformed kernel leaves room for few filters at a time, and
512 take 1.2 of the time of their taps."""

LEAST_SQUARES = 4
"""Squares of an image from which on they are: the kernel is transformed for every call. With a single one, four images
of 64 channels take 1.4 of the time of their taps."""

TRANSFORMED_FLOATS = 1 << 17
"""Floats of a transformed kernel that are in memory at the same time; 512 KB."""

MOST_FILTERS = 256
"""Filters that are taken together at most."""

WHOLE_VECTORS = 16
"""What a part of the filters must be a multiple of."""

GAIN = 0.75
"""Multiplications of the squares as a share of those of the taps, at most."""

Padding = tuple[tuple[int, int], ...]
"""Places before and after, per dimension."""

MOST_PADDING = 3
"""Places on one side of what lies in memory up to which every square has at least one place in it."""


@dataclass(frozen=True)
class Geometry:
    """A convolution of whole windows. `channels` and `filters` are those of one group.

    `space` counts the `padding` too, which does not lie in memory: `winograd.py` alone can do with any.
    """

    space: tuple[int, ...]
    window: tuple[int, ...]
    strides: tuple[int, ...]
    dilation: tuple[int, ...]
    channels: int
    filters: int
    groups: int = 1
    padding: Padding = ()

    @property
    def held(self) -> tuple[int, ...]:
        """Extents of what lies in memory."""
        padding = self.padding or ((0, 0),) * len(self.space)
        return tuple(extent - before - after for extent, (before, after) in zip(self.space, padding, strict=True))

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
        return math.prod(self.held) * self.channels * self.groups

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
        if (
            min(self.positions) < 2
            or squares < LEAST_SQUARES
            or 16 * squares > GAIN * self.taps * math.prod(self.positions)
        ):
            return 0
        room = min(MOST_FILTERS, TRANSFORMED_FLOATS // (16 * self.channels))
        parts = [self.filters, *range(self.filters // WHOLE_VECTORS * WHOLE_VECTORS, 0, -WHOLE_VECTORS)]
        return next((part for part in parts if part <= room and self.filters % part == 0), 0)

    def with_padding(self, padding: Padding) -> Geometry:
        """The same where so much of the space does not lie in memory."""
        return replace(self, padding=padding if any(map(any, padding)) else ())


def geometry_of(value: Value) -> Geometry:
    """The geometry of a convolution, of an input's gradient (one of the adjoint, fully padded) or of a kernel's."""
    a, groups = value.attributes, value.attributes["groups"]
    first, second = value.operands
    window, channels = a.get("window") or second.shape[:-2], int(first.shape[-1])
    filters = int(second.shape[-1] if value.op == "convolve_kernel_gradient" else value.shape[-1])
    padding: Padding = () if value.op == "convolve_input_gradient" else tuple(map(tuple, a["padding"]))
    held = tuple(map(int, first.shape[1:-1]))
    space = tuple(n + sum(pad) for n, pad in zip(held, padding or ((0, 0),) * len(held), strict=True))
    sizes = space, tuple(map(int, window)), tuple(a["strides"]), tuple(a["dilation"])
    return Geometry(*sizes, channels // groups, filters // groups, groups).with_padding(padding)
