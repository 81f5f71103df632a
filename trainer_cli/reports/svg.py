"""Numbers in; pictures as inline SVG out, drawn with the colours of the page that holds them.

The pictures name their colours by class (`s1` … `s6`, `axis`, `grid`): the page's style gives them for light and dark.
All text goes through `escape`.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from html import escape
from typing import NamedTuple

from trainer_cli.reports import text

COLOURS = 6
_WIDTH, _HEIGHT = 560, 260
_LEFT, _RIGHT, _TOP, _BOTTOM = 58, 12, 12, 34
_POINTS = 1000
"""Points of a line; of more, only every n-th is drawn, and the last."""


class Series(NamedTuple):
    """A line of a chart: its values at 1, 2, 3, …; None where there is none. `dashed` tells validation apart."""

    name: str
    values: Sequence[float | None]
    colour: int = 1
    dashed: bool = False


class Axis(NamedTuple):
    """A range of numbers, logarithmic or not, and the ticks on it."""

    low: float
    high: float
    ticks: tuple[float, ...]
    logarithmic: bool = False

    def share(self, value: float) -> float:
        """Where a value lies between the ends, from 0 to 1."""
        if self.logarithmic:
            return (math.log10(value) - math.log10(self.low)) / (math.log10(self.high) - math.log10(self.low))
        return (value - self.low) / (self.high - self.low)


def axis(values: Sequence[float], *, logarithmic: bool = False) -> Axis:
    """The axis that holds all values, with round ticks."""
    low, high = min(values), max(values)
    if logarithmic and low > 0 and high / low > 50:
        first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
        powers = range(first, last + 1, max(1, (last - first) // 5))
        return Axis(10.0**first, 10.0**last, tuple(10.0**power for power in powers), True)
    if high == low:
        pad = abs(low) * 0.1 or 1.0
        low, high = low - pad, high + pad
    step = _round_step((high - low) / 5)
    first, last = math.floor(low / step), math.ceil(high / step)
    ticks = tuple(float(f"{number * step:.12g}") for number in range(first, last + 1))
    return Axis(ticks[0], ticks[-1], ticks)


def _round_step(rough: float) -> float:
    magnitude = 10.0 ** math.floor(math.log10(rough))
    return next(factor * magnitude for factor in (1, 2, 2.5, 5, 10) if rough <= factor * magnitude * (1 + 1e-9))


class Frame(NamedTuple):
    """The plane between two axes in pixels."""

    x: Axis
    y: Axis

    def place(self, x: float, y: float) -> tuple[float, float]:
        return (
            _LEFT + self.x.share(x) * (_WIDTH - _LEFT - _RIGHT),
            _HEIGHT - _BOTTOM - self.y.share(y) * (_HEIGHT - _TOP - _BOTTOM),
        )

    def drawn(self, x_label: str, y_label: str) -> Iterator[str]:
        bottom, right = _HEIGHT - _BOTTOM, _WIDTH - _RIGHT
        for tick in self.y.ticks:
            _, y = self.place(self.x.low, tick)
            yield f'<line class="grid" x1="{_LEFT}" y1="{y:.1f}" x2="{right}" y2="{y:.1f}"/>'
            yield f'<text x="{_LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{escape(tick_words(tick))}</text>'
        for tick in self.x.ticks:
            x, _ = self.place(tick, self.y.low)
            yield f'<line class="axis" x1="{x:.1f}" y1="{bottom}" x2="{x:.1f}" y2="{bottom + 4}"/>'
            yield f'<text x="{x:.1f}" y="{bottom + 17}" text-anchor="middle">{escape(tick_words(tick))}</text>'
        yield f'<line class="axis" x1="{_LEFT}" y1="{bottom}" x2="{right}" y2="{bottom}"/>'
        yield f'<text class="label" x="{right}" y="{_HEIGHT - 2}" text-anchor="end">{escape(x_label)}</text>'
        if y_label:
            yield f'<text class="label" x="{_LEFT + 4}" y="{_TOP + 2}">{escape(y_label)}</text>'


def tick_words(value: float) -> str:
    """A round number as short as it can be written."""
    return f"{value:,.0f}" if abs(value) >= 1000 and value == round(value) and abs(value) < 1e6 else f"{value:g}"


def _whole_axis(count: int) -> Axis:
    """The axis of epochs 1 … count."""
    if count <= 1:
        return Axis(0.5, 1.5, (1.0,))
    step = max(1, round(_round_step(max(count - 1, 1) / 6)))
    ticks = [1.0, *(float(tick) for tick in range(step, count + 1, step) if tick > 1)]
    return Axis(1.0, float(count), tuple(ticks))


def picture(body: Sequence[str], title: str, width: int = _WIDTH, height: int = _HEIGHT) -> str:
    return (
        f'<svg viewBox="0 0 {width} {height}" role="img" aria-label="{escape(title)}"><title>{escape(title)}</title>'
        + "".join(body)
        + "</svg>"
    )


def line_chart(title: str, series: Sequence[Series], *, best: int | None = None, starts: Sequence[int] = ()) -> str:
    """Lines over the epochs; `best` is marked, `starts` are the first epochs of later phases. Empty without values."""
    known = [value for each in series for value in each.values if value is not None and math.isfinite(value)]
    if not known:
        return ""
    count = max(len(each.values) for each in series)
    frame = Frame(_whole_axis(count), axis(known, logarithmic="loss" in title))
    body = list(frame.drawn("epoch", ""))
    for start in starts:
        x, _ = frame.place(start - 0.5, frame.y.low)
        body.append(f'<line class="phase" x1="{x:.1f}" y1="{_TOP}" x2="{x:.1f}" y2="{_HEIGHT - _BOTTOM}"/>')
    if best is not None:
        x, _ = frame.place(best, frame.y.low)
        body.append(f'<line class="best" x1="{x:.1f}" y1="{_TOP}" x2="{x:.1f}" y2="{_HEIGHT - _BOTTOM}"/>')
    for each in series:
        body += _line(frame, each)
    return picture(body, title)


def _line(frame: Frame, series: Series) -> Iterator[str]:
    """Runs of known values as lines; a value without neighbours as a point."""
    stride = -(-len(series.values) // _POINTS)
    kept = [*range(0, len(series.values), stride)]
    if kept and kept[-1] != len(series.values) - 1:
        kept.append(len(series.values) - 1)
    pieces: list[list[tuple[float, float]]] = [[]]
    for place in kept:
        value = series.values[place]
        if value is None or not math.isfinite(value):
            pieces.append([])
        else:
            pieces[-1].append(frame.place(place + 1, value))
    style = f"s{series.colour}{' dashed' if series.dashed else ''}"
    for piece in pieces:
        points = " ".join(f"{x:.1f},{y:.1f}" for x, y in piece)
        if len(piece) == 1:
            yield f'<circle class="f{series.colour}" cx="{piece[0][0]:.1f}" cy="{piece[0][1]:.1f}" r="3"/>'
        elif piece:
            yield f'<polyline class="{style}" points="{points}"><title>{escape(series.name)}</title></polyline>'


def legend(series: Sequence[Series]) -> str:
    """The names beside strokes of their lines."""
    items = []
    for each in series:
        style = f"s{each.colour}{' dashed' if each.dashed else ''}"
        stroke = f'<svg class="key" viewBox="0 0 24 8"><line class="{style}" x1="1" y1="4" x2="23" y2="4"/></svg>'
        items.append(f"<span>{stroke}{escape(each.name)}</span>")
    return f'<p class="legend">{"".join(items)}</p>'


def heatmap(title: str, rows: Sequence[str], columns: Sequence[str], counts: Sequence[Sequence[int]]) -> str:
    """A confusion matrix: rows are true, columns predicted classes; each row is shaded by its own sum."""
    cell = max(10, min(56, 620 // max(len(columns), 1)))
    left = 24 + 7 * min(16, max(map(len, rows)))
    top = 38 + (0 if cell >= 40 else 6 * min(16, max(map(len, columns))))
    body = [
        f'<text class="label" x="{left}" y="12">predicted</text>',
        f'<text class="label" x="2" y="{top - 6}">true</text>',
    ]
    for place, name in enumerate(columns):
        x = left + (place + 0.5) * cell
        turn = "" if cell >= 40 else f' transform="rotate(-60 {x:.0f} {top - 6})"'
        anchor = "middle" if cell >= 40 else "start"
        body.append(f'<text x="{x:.0f}" y="{top - 6}" text-anchor="{anchor}"{turn}>{escape(_short(name))}</text>')
    for row, name in enumerate(rows):
        total = sum(counts[row])
        y = top + row * cell
        body.append(f'<text x="{left - 6}" y="{y + cell / 2 + 4:.0f}" text-anchor="end">{escape(_short(name))}</text>')
        for column, count in enumerate(counts[row]):
            share = count / total if total else 0.0
            words = f"{name} taken for {columns[column]}: {count:,} of {total:,}"
            kind = "right" if row == column else "wrong"
            shade = share if row == column else math.sqrt(share)  # a few mistakes among many rows shall be seen
            x = left + column * cell
            body.append(
                f'<rect class="{kind}" x="{x}" y="{y}" width="{cell - 1}" height="{cell - 1}" '
                f'fill-opacity="{shade:.3f}"><title>{escape(words)}</title></rect>'
            )
            if cell >= 22 and count:
                strong = " strong" if share > 0.55 else ""
                body.append(
                    f'<text class="count{strong}" x="{x + cell / 2:.0f}" y="{y + cell / 2 + 4:.0f}" '
                    f'text-anchor="middle">{count}</text>'
                )
    return picture(body, title, left + cell * len(columns) + 4, top + cell * len(rows) + 4)


def _short(name: str) -> str:
    return name if len(name) <= 16 else f"{name[:15]}…"


def scatter(title: str, x: Sequence[float], y: Sequence[float], labels: tuple[str, str]) -> str:
    """Points, and the diagonal on which both coordinates are equal."""
    both = axis([*x, *y])
    frame = Frame(both, both)
    body = list(frame.drawn(*labels))
    (x1, y1), (x2, y2) = frame.place(both.low, both.low), frame.place(both.high, both.high)
    body.append(f'<line class="best" x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"/>')
    for true, predicted in zip(x, y, strict=True):
        left, top = frame.place(true, predicted)
        words = f"{labels[0]} {text.number(true)}, {labels[1]} {text.number(predicted)}"
        body.append(f'<circle class="dot" cx="{left:.1f}" cy="{top:.1f}" r="3"><title>{escape(words)}</title></circle>')
    return picture(body, title)


def histogram(title: str, values: Sequence[float], label: str) -> str:
    """Bars over ranges of equal width, about twenty of them."""
    found = axis(values)
    step = (found.high - found.low) / 24
    counts = [0] * 24
    for value in values:
        counts[min(23, int((value - found.low) / step))] += 1
    frame = Frame(found, axis([0.0, float(max(counts))]))
    body = list(frame.drawn(label, "rows"))
    for place, count in enumerate(counts):
        begin, end = found.low + place * step, found.low + (place + 1) * step
        (left, top), (right, bottom) = frame.place(begin, count), frame.place(end, 0.0)
        words = f"{text.number(begin)} to {text.number(end)}: {count:,}"
        body.append(
            f'<rect class="bar" x="{left:.1f}" y="{top:.1f}" width="{max(0.5, right - left - 1):.1f}" '
            f'height="{bottom - top:.1f}"><title>{escape(words)}</title></rect>'
        )
    return picture(body, title)
