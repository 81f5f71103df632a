"""A run in; the curves of its measures over the epochs out, one by one for a page or all in one SVG or PNG file."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import escape
from typing import NamedTuple

from trainer_cli.errors import ResourceError
from trainer_cli.reports import svg
from trainer_cli.reports.style import STYLE
from trainer_cli.reports.svg import Series
from trainer_cli.training.runs import Run

_WIDTH, _HEIGHT, _HEAD, _GAP = 560, 260, 26, 18
_FONT = "system-ui, 'Segoe UI', Roboto, 'DejaVu Sans', sans-serif"


class Chart(NamedTuple):
    """A measure: training as a line, validation dashed beside it."""

    title: str
    picture: str
    series: tuple[Series, ...]


def charts(run: Run) -> Iterator[Chart]:
    """A chart per measure that has values, then the learning rate, if it changed."""
    best, starts = best_place(run), phase_starts(run)
    for key in run.measures:
        if key.startswith("val_") and key.removeprefix("val_") in run.measures:
            continue
        series = [Series(key, run.curve(key))]
        if f"val_{key}" in run.measures:
            series.append(Series(f"val_{key}", run.curve(f"val_{key}"), 2, dashed=True))
        if picture := svg.line_chart(key, series, best=best, starts=starts):
            yield Chart(key, picture, tuple(series))
    rates = run.curve("learning_rate")
    if len({rate for rate in rates if rate is not None}) > 1:
        series = [Series("learning rate", rates, 3)]
        yield Chart("learning rate", svg.line_chart("learning rate", series, starts=starts), ())


def phase_starts(run: Run) -> list[int]:
    """The positions, from 1, of the first epochs of later phases."""
    phases = [line.get("phase") for line in run.history]
    return [place + 1 for place in range(1, len(phases)) if phases[place] != phases[place - 1]]


def best_place(run: Run) -> int | None:
    """The position, from 1, of the best epoch among the epochs of all phases."""
    best = run.best
    for place, line in enumerate(run.history, start=1):
        if best and (line.get("phase"), line.get("epoch")) == (best.get("phase"), best.get("epoch")):
            return place
    return None


def drawing(run: Run) -> str:
    """All charts in one SVG that needs nothing else, two beside one another, in the colours of a light screen."""
    found = list(charts(run))
    columns = 2 if len(found) > 1 else 1
    rows = -(-len(found) // columns)
    width, height = columns * (_WIDTH + _GAP) + _GAP, 40 + rows * (_HEAD + _HEIGHT + _GAP)
    title = escape(f"{run.name}: {run.path.name}")
    body = [f'<text class="title" x="{_GAP}" y="26">{title}</text>']
    for place, chart in enumerate(found):
        x = _GAP + place % columns * (_WIDTH + _GAP)
        y = 40 + place // columns * (_HEAD + _HEIGHT + _GAP)
        body.append(f'<text class="name" x="{x}" y="{y + 16}">{escape(chart.title)}</text>')
        body += _keys(chart, x + _WIDTH, y + 16)
        body.append(
            chart.picture.replace("<svg ", f'<svg x="{x}" y="{y + _HEAD}" width="{_WIDTH}" height="{_HEIGHT}" ', 1)
        )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}" '
        f'role="img"><title>{title}</title><style>{_style()}</style>'
        f'<rect width="{width}" height="{height}" fill="{_colours()["back"]}"/>{"".join(body)}</svg>\n'
    )


def _keys(chart: Chart, right: int, y: int) -> Iterator[str]:
    """The names of the lines beside strokes of them, from the right."""
    if len(chart.series) < 2:
        return
    for series in reversed(chart.series):
        right -= 7 * len(series.name)
        yield f'<text class="key" x="{right}" y="{y}">{escape(series.name)}</text>'
        dashed = " dashed" if series.dashed else ""
        yield f'<polyline class="s{series.colour}{dashed}" points="{right - 28},{y - 4} {right - 6},{y - 4}"/>'
        right -= 44


def _colours() -> dict[str, str]:
    """The page's colours on a light screen."""
    light = STYLE[: STYLE.index("@media")]
    return dict(re.findall(r"--(\w+): (#\w+)", light))


def _style() -> str:
    """The page's rules for charts; not every program that draws SVG knows variables."""
    colours = _colours()
    rules = re.findall(
        r"(?m)(?:^|(?<=\} ))\.?(?:s\d|f\d|grid|axis|best|phase|dashed|label|faint|polyline)[ ,][^{]*\{[^}]*\}", STYLE
    )
    text = f"text {{ font: 12px {_FONT}; fill: {colours['faint']}; }} "
    text += (
        f".title {{ font-size: 18px; fill: {colours['ink']}; }} .name {{ font-size: 14px; fill: {colours['ink']}; }} "
    )
    return text + re.sub(r"var\(--(\w+)\)", lambda match: colours[match[1]], " ".join(rules))


def painted(drawn: str) -> bytes:
    """An SVG as PNG, twice as large. Raises ResourceError without resvg, which comes with the extra `plots`."""
    try:
        import resvg_py
    except ImportError:
        message = "PNG is painted by resvg, which is not installed"
        raise ResourceError(message, hint="pip install 'trainer-cli[plots]', or take --svg") from None
    return bytes(resvg_py.svg_to_bytes(svg_string=drawn, zoom=2))
