"""Lines over numbers that grow in; a picture of them as an SVG file with its own colours out."""

from __future__ import annotations

from html import escape

from trainer_cli.reports.style import STYLE
from trainer_cli.reports.svg import Frame, axis, picture

_FRAME = (560, 260)
_LEGEND = 24


def growth_chart(title, lines, x_label, y_label):
    """An SVG document: `lines` maps names to values by number. Both axes are logarithmic where numbers span much."""
    numbers = [x for line in lines.values() for x in line]
    values = [y for line in lines.values() for y in line.values()]
    frame = Frame(axis(numbers, logarithmic=True), axis(values, logarithmic=True))
    body = list(frame.drawn(x_label, y_label))
    for colour, (name, line) in enumerate(lines.items(), 1):
        places = [frame.place(x, y) for x, y in sorted(line.items())]
        points = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
        body.append(f'<polyline class="s{colour}" points="{points}"/>')
        body += [f'<circle class="f{colour}" cx="{x:.1f}" cy="{y:.1f}" r="2.5"/>' for x, y in places]
        left, bottom = 70 + 130 * (colour - 1), _FRAME[1] + 8
        body.append(f'<polyline class="s{colour}" points="{left},{bottom} {left + 24},{bottom}"/>')
        body.append(f'<text x="{left + 30}" y="{bottom + 4}">{escape(name)}</text>')
    width, height = _FRAME[0], _FRAME[1] + _LEGEND
    back = f'<style>{STYLE}</style><rect width="{width}" height="{height}" style="fill: var(--back)"/>'
    drawn = picture([back, *body], title, width, height)
    own = f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
    return drawn.replace("<svg ", own, 1) + "\n"
