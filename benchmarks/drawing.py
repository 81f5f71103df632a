"""Lines over numbers, or shares by name, in; a picture of them as an SVG file with its own colours out."""

from __future__ import annotations

from html import escape

from trainer_cli.reports.style import STYLE
from trainer_cli.reports.svg import Axis, Frame, axis, picture

_FRAME = (560, 260)
_LEGEND = 24
_NAMES, _MARGIN, _ROW = 144, 16, 17
"""Of a chart by name: pixels for the names, beside the plane, and for each row."""


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
    return _document(body, title, _FRAME[0], _FRAME[1] + _LEGEND)


def share_chart(title, rows, label, reach):
    """An SVG document: `rows` maps names to shares by contestant, each a dot; a dashed line stands at `reach`."""
    # Noise may lift a share over 1 a little, which deserves no tick of its own.
    most = max(1.0, *(share for row in rows.values() for share in row.values()))
    shares = Axis(0.0, most, (0.0, 0.2, 0.4, 0.6, 0.8, 1.0))
    width, bottom = _FRAME[0], _MARGIN + _ROW * len(rows)

    def across(share):
        return _NAMES + shares.share(share) * (width - _NAMES - _MARGIN)

    body = []
    for tick in shares.ticks:
        x = across(tick)
        body.append(f'<line class="grid" x1="{x:.1f}" y1="{_MARGIN}" x2="{x:.1f}" y2="{bottom}"/>')
        body.append(f'<text x="{x:.1f}" y="{bottom + 15}" text-anchor="middle">{tick:.0%}</text>')
    x = across(reach)
    body.append(f'<line class="best" x1="{x:.1f}" y1="{_MARGIN}" x2="{x:.1f}" y2="{bottom}"/>')
    body.append(f'<text x="{x:.1f}" y="{_MARGIN - 4}" text-anchor="middle">{reach:.0%}</text>')
    contestants = list(dict.fromkeys(name for row in rows.values() for name in row))
    for place, (name, row) in enumerate(rows.items()):
        y = _MARGIN + _ROW * (place + 0.5)
        body.append(f'<text x="{_NAMES - 8}" y="{y + 4:.1f}" text-anchor="end">{escape(name)}</text>')
        ends = across(min(row.values())), across(max(row.values()))
        body.append(f'<line class="grid" x1="{ends[0]:.1f}" y1="{y:.1f}" x2="{ends[1]:.1f}" y2="{y:.1f}"/>')
        # The first contestant is drawn last, over the others.
        for colour, contestant in reversed([*enumerate(contestants, 1)]):
            if contestant in row:
                words = escape(f"{contestant}, {name}: {row[contestant]:.0%}")
                circle = f'class="f{colour}" cx="{across(row[contestant]):.1f}" cy="{y:.1f}" r="4"'
                body.append(f"<circle {circle}><title>{words}</title></circle>")
    below = bottom + _LEGEND + 10
    for colour, name in enumerate(contestants, 1):
        left = _NAMES + 120 * (colour - 1)
        body.append(f'<circle class="f{colour}" cx="{left + 4}" cy="{below}" r="4"/>')
        body.append(f'<text x="{left + 14}" y="{below + 4}">{escape(name)}</text>')
    body.append(f'<text class="label" x="{width - _MARGIN}" y="{below + 4}" text-anchor="end">{escape(label)}</text>')
    return _document(body, title, width, below + 14)


def _document(body, title, width, height):
    """A picture as a file of its own: with its colours, and their background."""
    back = f'<style>{STYLE}</style><rect width="{width}" height="{height}" style="fill: var(--back)"/>'
    drawn = picture([back, *body], title, width, height)
    own = f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
    return drawn.replace("<svg ", own, 1) + "\n"
