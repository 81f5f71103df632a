"""The geometry of a convolution and an epilogue come in, compiled functions for a range of images or taps go out.

No window is copied anywhere: the windows of an image are the rows of a matrix that `indexed.py` finds by a table. The
input has its padding already. Every function works on one group of channels at a time.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from trainer_cli.compiler.geometry import Geometry
from trainer_cli.targets.cpu.indexed import Walk, indexed_product
from trainer_cli.targets.cpu.intrinsics import offset, stack_floats
from trainer_cli.targets.cpu.linking import linked
from trainer_cli.targets.cpu.microkernel import PANEL, register_block
from trainer_cli.targets.cpu.packing import PACKED_ROWS
from trainer_cli.targets.cpu.tiles import DEPTH_BLOCK

__all__ = ["convolution", "kernel_gradient"]

# Rows of a tile on the stack; twice as many where B is packed for each.
ROW_BLOCK = 128
# Images are taken one at a time where their positions fill enough panels.
MANY_POSITIONS = 64
# Terms that a tile of a kernel's gradient sums up before the next tile's turn: what they read stays in the caches.
TERMS = 256


def _forward_walk(geometry: Geometry, places: tuple[int, ...]) -> Walk:
    """Kernel `(taps, channels, filters of all groups)`; a row of taps is one run where channels follow each other."""
    width = geometry.filters * geometry.groups
    depth, taps = geometry.channels, geometry.tap_places()
    if geometry.groups == 1 and geometry.dilation[-1] == 1:
        taps = geometry.tap_places((*geometry.window[:-1], 1))
        depth *= geometry.window[-1]
    segments = tuple((tap, number * depth * width) for number, tap in enumerate(taps))
    return Walk(places, segments, depth, 1, width, 1)


def _mirrored_walk(geometry: Geometry, places: tuple[int, ...]) -> Walk:
    """Kernel `(taps backwards, filters, channels of all groups)`: of an input's gradient."""
    width = geometry.channels * geometry.groups
    last = geometry.taps - 1
    segments = tuple(
        (tap, (last - number) * geometry.filters * width) for number, tap in enumerate(geometry.tap_places())
    )
    return Walk(places, segments, geometry.channels, 1, 1, width)


def convolution(
    space: tuple[int, ...],
    window: tuple[int, ...],
    strides: tuple[int, ...],
    dilation: tuple[int, ...],
    channels: int,
    filters: int,
    groups: int,
    *,
    mirrored: bool = False,
    epilogue: Any,
    lanes: int | None = None,
) -> Any:
    """A jitted `f(begin, end, group, x, kernel, arguments)` for images begin … end - 1.

    The positions of all images are the rows of a matrix whose finished tiles `epilogue` takes, as in `gemm.product`.
    With `mirrored` the kernel is read as the gradient of an input needs it.
    """
    geometry = Geometry(space, window, strides, dilation, channels, filters, groups)
    block = register_block(lanes)
    width, columns, image = block.width, filters, geometry.image
    one = geometry.places()
    size = len(one)
    # Images that are taken together fill whole panels.
    together = 1 if size >= MANY_POSITIONS else PANEL // math.gcd(size, PANEL)
    places = tuple(number * image + place for number in range(together) for place in one)
    walk = _mirrored_walk(geometry, places) if mirrored else _forward_walk(geometry, places)
    multiply = indexed_product(block, columns, walk)
    row_block = 2 * ROW_BLOCK if walk.packs(block, columns) else ROW_BLOCK
    packed_floats, tile_floats = width * (DEPTH_BLOCK + PACKED_ROWS), width * row_block
    rest = columns % width
    whole = columns - rest
    # Constant widths: the epilogue is compiled for them.
    finish_whole = epilogue.fixed({3: width, 5: width})
    finish_rest = epilogue.fixed({3: rest, 5: width})
    segments = len(walk.segments)
    b_group = channels if mirrored else filters

    @linked
    def convolve(begin, end, group, x, kernel, arguments):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
        packed = stack_floats(packed_floats)
        tile = stack_floats(tile_floats)
        b = offset(kernel, group * b_group)
        for start in range(begin, end, together):
            a = offset(x, start * image + group * channels)
            count = min(together, end - start) * size
            for first in range(0, count, row_block):
                last = min(first + row_block, count)
                row = start * size + first
                for column in range(0, whole, width):
                    multiply(1, 0, segments, first, last, column, a, b, packed, tile, 0)
                    finish_whole(row, column, last - first, width, tile, width, arguments)
                if rest > 0:
                    multiply(1, 0, segments, first, last, whole, a, b, packed, tile, 0)
                    finish_rest(row, whole, last - first, rest, tile, width, arguments)

    return convolve


def kernel_gradient(
    space: tuple[int, ...],
    window: tuple[int, ...],
    strides: tuple[int, ...],
    dilation: tuple[int, ...],
    channels: int,
    filters: int,
    groups: int,
    *,
    lanes: int | None = None,
) -> Any:
    """A jitted `f(begin, end, rows, group, x, adjoint, result)` for rows begin … end - 1 of the kernel's gradient.

    Its rows are taps and channels `(taps · channels, filters of all groups)`; `begin` is a multiple of PANEL. The sum
    over images and positions is one chain in ascending order.
    """
    geometry = Geometry(space, window, strides, dilation, channels, filters, groups)
    block = register_block(lanes)
    width, image = block.width, geometry.image
    all_filters = filters * groups
    places = tuple(tap + channel for tap in geometry.tap_places() for channel in range(channels))
    run = geometry.positions[-1]
    lines = geometry.lines()
    segments = tuple((line, number * run * all_filters) for number, line in enumerate(lines))
    size = math.prod(geometry.positions)
    b_image = size * all_filters
    walk = Walk(places, segments, run, strides[-1] * channels * groups, all_filters, 1, image, b_image)
    multiply = indexed_product(block, filters, walk)
    packed_floats, tile_floats = width * (DEPTH_BLOCK + PACKED_ROWS), width * PANEL
    rest = filters % width
    whole = filters - rest
    lines_together = min(len(lines), max(1, TERMS // run))
    images_together = max(1, TERMS // size) if lines_together == len(lines) else 1
    line_count = len(lines)

    @linked
    def add_up(images, low, high, first, last, column, present, a, b, packed, tile, result, resume):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
        for row in range(first, last, PANEL):
            stop = min(row + PANEL, last)
            for i in range(stop - row):
                held = offset(result, (row + i) * all_filters + column)
                for j in range(present):
                    tile[i * width + j] = held[j] if resume else np.float32(0.0)
            multiply(images, low, high, row, stop, column, a, b, packed, tile, resume)
            for i in range(stop - row):
                held = offset(result, (row + i) * all_filters + column)
                for j in range(present):
                    held[j] = tile[i * width + j]

    @linked
    def gradient(begin, end, rows, group, x, adjoint, result):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
        packed = stack_floats(packed_floats)
        tile = stack_floats(tile_floats)
        target = offset(result, group * filters)
        for start in range(0, rows, images_together):
            images = min(images_together, rows - start)
            a = offset(x, start * image + group * channels)
            b = offset(adjoint, start * b_image + group * filters)
            for low in range(0, line_count, lines_together):
                high = min(low + lines_together, line_count)
                resume = 1 if start > 0 or low > 0 else 0
                for column in range(0, whole, width):
                    add_up(images, low, high, begin, end, column, width, a, b, packed, tile, target, resume)
                if rest > 0:
                    add_up(images, low, high, begin, end, whole, rest, a, b, packed, tile, target, resume)

    return gradient
