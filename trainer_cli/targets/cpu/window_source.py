"""Windows: a pooling or its gradient and the work behind it in, the source of its loops out.

Vectors run along the channels. A maximum's gradient goes window by window: where windows meet no element twice, each
element is finished at once, else the sums are collected in memory.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from typing import Any

from trainer_cli.compiler.kernels import UNROLLED_TAPS, is_collected
from trainer_cli.ir.graph import Value
from trainer_cli.targets.cpu.writer import KernelSource, KernelWriter, coordinate_of

CHANNEL_CHUNK = 64
"""Channels whose adjoints wait on the stack for the maximum of their window."""


def _spaces(root: Value) -> tuple[tuple[int, ...], tuple[int, ...], int]:
    """Extents of the wide side, extents of the pooled side, channels."""
    pooled = root if root.op != "window_max_gradient" else root.operands[1]
    wide = root.operands[0]
    return tuple(map(int, wide.shape[1:-1])), tuple(map(int, pooled.shape[1:-1])), int(wide.shape[-1])


def _row(names: Sequence[str], extents: Sequence[int], channels: int) -> str:
    """The place of the first channel at a position within an image."""
    text = names[0]
    for name, extent in zip(names[1:], extents[1:], strict=True):
        text = f"({text} * {extent} + {name})"
    return text if channels == 1 else f"{text} * {channels}"


class _Window:
    """A window at the position that loops `o0`, `o1`, … stand at; its taps begin at `w0`, `w1`, …."""

    def __init__(self, root: Value) -> None:
        self.attributes = root.attributes
        self.wide, self.pooled, self.channels = _spaces(root)
        self.dimensions = len(self.wide)
        self.window: tuple[int, ...] = tuple(root.attributes["window"])
        self.padded = [any(pad) for pad in root.attributes["padding"]]

    @property
    def image(self) -> int:
        return math.prod(self.wide) * self.channels

    @property
    def pooled_image(self) -> int:
        return math.prod(self.pooled) * self.channels

    def open(self, add: Callable[[str], None]) -> None:
        for d in range(self.dimensions):
            low = self.attributes["padding"][d][0]
            add(f"w{d} = o{d} * {self.attributes['strides'][d]}{f' - {low}' if low else ''}")

    def place(self, tap: Sequence[Any]) -> str:
        return _row([f"(w{d} + {at})" if at != 0 else f"w{d}" for d, at in enumerate(tap)], self.wide, self.channels)

    def condition(self, tap: Sequence[Any]) -> str:
        """Whether a tap lies inside the input; empty if it always does."""
        tests = [f"0 <= w{d} + {at} and w{d} + {at} < {self.wide[d]}" for d, at in enumerate(tap) if self.padded[d]]
        return " and ".join(tests)

    def taps(self, lines: Any, visit: Callable[[Sequence[Any]], None]) -> None:
        """Every tap that lies inside: one by one, or in loops."""

        def one(tap: Sequence[Any]) -> None:
            condition = self.condition(tap)
            if condition:
                with lines.block(f"if {condition}:"):
                    visit(tap)
            else:
                visit(tap)

        if math.prod(self.window) <= UNROLLED_TAPS:
            for tap in itertools.product(*map(range, self.window)):
                one(tap)
            return

        def nest(axis: int) -> None:
            if axis == self.dimensions:
                one([f"k{d}" for d in range(self.dimensions)])
                return
            with lines.block(f"for k{axis} in range({self.window[axis]}):"):
                nest(axis + 1)

        nest(0)


def write_window(writer: KernelWriter, root: Value) -> KernelSource:
    """Sums and maxima: the taps of a window one after another, a row of channels at a time."""
    window, lines = _Window(root), writer.lines
    x, elements = writer.pointer_of(root.operands[0]), writer.elements()
    largest, channels = root.op == "window_max", window.channels
    start = "float32(-INFINITY)" if largest else "float32(0.0)"
    channel = f"i{root.rank - 1}"
    in_registers = not any(window.padded) and math.prod(window.window) <= UNROLLED_TAPS

    def combine(total: str, item: str) -> str:
        if largest:
            return f"{total} = {item} if ({item} > {total}) or ({item} != {item}) else {total}"
        return f"{total} += {item}"

    def finish() -> None:
        lines.add(f"here = line + {channel}")
        elements.local[root] = "v0"
        writer.body(elements)

    def position() -> None:
        window.open(lines.add)
        if in_registers:
            places = [window.place(tap) for tap in itertools.product(*map(range, window.window))]
            for number, place in enumerate(places):
                lines.add(f"tap{number} = offset({x}, image + {place})")
            with lines.block(f"for {channel} in range({channels}):"), elements.scope():
                for number in range(len(places)):
                    lines.add(f"item = tap{number}[{channel}]")
                    lines.add(combine("v0", "item") if number else "v0 = item")
                finish()
            return
        lines.add(f"sums = stack_floats({CHANNEL_CHUNK})")
        with lines.block(f"for first in range(0, {channels}, {CHANNEL_CHUNK}):"):
            lines.add(f"width = min({CHANNEL_CHUNK}, {channels} - first)")
            with lines.block("for c in range(width):"):
                lines.add(f"sums[c] = {start}")

            def visit(tap: Sequence[Any]) -> None:
                lines.add(f"tap = offset({x}, image + {window.place(tap)} + first)")
                with lines.block("for c in range(width):"):
                    lines.add("item = tap[c]")
                    lines.add("total = sums[c]")
                    lines.add(combine("total", "item"))
                    lines.add("sums[c] = total")

            window.taps(lines, visit)
            with lines.block("for c in range(width):"), elements.scope():
                lines.add(f"{channel} = first + c")
                lines.add("v0 = sums[c]")
                finish()

    _over_positions(writer, window, position)
    return writer.finish(whole=False)


def _over_positions(writer: KernelWriter, window: _Window, position: Callable[[], None]) -> None:
    """Loops over images and the positions of windows around what is done at each."""
    lines = writer.lines

    def nest(axis: int) -> None:
        if axis == window.dimensions:
            names = [f"o{d}" for d in range(window.dimensions)]
            lines.add(f"line = i0 * {window.pooled_image} + {_row(names, window.pooled, window.channels)}")
            for d in range(window.dimensions):
                lines.add(f"i{d + 1} = o{d}")
            position()
            return
        with lines.block(f"for o{axis} in range({window.pooled[axis]}):"):
            nest(axis + 1)

    with lines.block("for i0 in range(begin, end):"):
        lines.add(f"image = i0 * {window.image}")
        nest(0)


def write_window_gradient(writer: KernelWriter, root: Value) -> KernelSource:
    """The first maximum of every window takes its adjoint."""
    return _write_collected(writer, root) if is_collected(root) else _write_apart(writer, root)


def _write_apart(writer: KernelWriter, root: Value) -> KernelSource:
    """Windows that neither meet nor leave the input: a window's elements one after another."""
    window, lines = _Window(root), writer.lines
    x, result, adjoint = map(writer.pointer_of, root.operands)
    needed, channel = writer.needed_axes(), f"i{root.rank - 1}"
    taps = list(itertools.product(*map(range, window.window)))

    def element(value: str, tap: Sequence[Any], place: str, channel_name: str) -> None:
        elements = writer.elements()
        for d in range(window.dimensions):
            if d + 1 in needed:
                lines.add(f"i{d + 1} = w{d} + {tap[d]}")
        lines.add(f"here = image + {place} + {channel_name}")
        elements.local[root] = value
        writer.body(elements)

    def position() -> None:
        window.open(lines.add)
        for number, tap in enumerate(taps):
            lines.add(f"at{number} = {window.place(tap)}")
        with lines.block(f"for {channel} in range({window.channels}):"):
            lines.add(f"best = {result}[line + {channel}]")
            lines.add(f"share = {adjoint}[line + {channel}]")
            lines.add("free = True")
            for number, tap in enumerate(taps):
                lines.add(f"hit = free & ({x}[image + at{number} + {channel}] == best)")
                lines.add("free = free & (not hit)")
                lines.add("v0 = share if hit else float32(0.0)")
                element("v0", tap, f"at{number}", channel)

    _over_positions(writer, window, position)
    # What no window reaches.
    for d in range(window.dimensions):
        covered = window.pooled[d] * window.attributes["strides"][d]
        if covered >= window.wide[d]:
            continue
        with lines.block("for i0 in range(begin, end):"):
            lines.add(f"image = i0 * {window.image}")

            def rest(axis: int, gap: int = d, covered: int = covered) -> None:
                if axis == window.dimensions:
                    place = _row([f"w{k}" for k in range(window.dimensions)], window.wide, window.channels)
                    lines.add(f"at = {place}")
                    with lines.block(f"for {channel} in range({window.channels}):"):
                        lines.add("v0 = float32(0.0)")
                        element("v0", [0] * window.dimensions, "at", channel)
                    return
                strides = window.attributes["strides"]
                if axis == gap:
                    bounds = f"{covered}, {window.wide[axis]}"
                elif axis < gap:
                    # Rows beyond the windows of an earlier dimension are done already.
                    bounds = f"0, {min(window.wide[axis], window.pooled[axis] * strides[axis])}"
                else:
                    bounds = f"0, {window.wide[axis]}"
                with lines.block(f"for w{axis} in range({bounds}):"):
                    rest(axis + 1)

            rest(0)
    return writer.finish(whole=False)


def _write_collected(writer: KernelWriter, root: Value) -> KernelSource:
    """Any other windows: sums in memory, image by image."""
    window, lines = _Window(root), writer.lines
    x, result, adjoint = map(writer.pointer_of, root.operands)
    target = writer.pointer_of(root)
    elements, needed = writer.elements(), writer.needed_axes()

    def position() -> None:
        window.open(lines.add)
        lines.add(f"waiting = stack_floats({CHANNEL_CHUNK})")
        with lines.block(f"for first in range(0, {window.channels}, {CHANNEL_CHUNK}):"):
            lines.add(f"width = min({CHANNEL_CHUNK}, {window.channels} - first)")
            with lines.block("for c in range(width):"):
                lines.add("waiting[c] = float32(1.0)")

            def visit(tap: Sequence[Any]) -> None:
                lines.add(f"tap = image + {window.place(tap)} + first")
                with lines.block("for c in range(width):"):
                    lines.add(f"hit = (waiting[c] != 0) & ({x}[tap + c] == {result}[line + first + c])")
                    lines.add(f"{target}[tap + c] += {adjoint}[line + first + c] if hit else float32(0.0)")
                    lines.add("waiting[c] = float32(0.0) if hit else waiting[c]")

            window.taps(lines, visit)

    with lines.block(f"for i in range(begin * {window.image}, end * {window.image}):"):
        lines.add(f"{target}[i] = float32(0.0)")
    _over_positions(writer, window, position)
    if writer.kernel.body or writer.kernel.updates or writer.kernel.totals:
        with lines.block(f"for here in range(begin * {window.image}, end * {window.image}):"):
            lines.add(f"v0 = {target}[here]")
            elements.local[root] = "v0"
            for axis in sorted(needed):
                lines.add(f"i{axis} = {coordinate_of(root.shape, axis)}")
            writer.body(elements)
    return writer.finish(whole=False)
