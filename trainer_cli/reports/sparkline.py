"""Numbers in; a curve of one line of text out."""

from __future__ import annotations

import math
from collections.abc import Sequence

BARS = "▁▂▃▄▅▆▇█"
GAP = "·"


def sparkline(values: Sequence[float | None], width: int, low: float | None = None, high: float | None = None) -> str:
    """The values from left to right, in at most `width` characters; of more values each character shows a mean.

    The lowest bar is `low`, the highest `high`, by default the extremes of the values. A dot stands for no value.
    """
    shown = _resampled([value if value is not None and math.isfinite(value) else None for value in values], width)
    known = [value for value in shown if value is not None]
    if not known:
        return GAP * len(shown)
    low = min(known) if low is None else low
    high = max(known) if high is None else high
    return "".join(GAP if value is None else _bar(value, low, high) for value in shown)


def _bar(value: float, low: float, high: float) -> str:
    share = (value - low) / (high - low) if high > low else 0.0
    return BARS[round(min(max(share, 0.0), 1.0) * (len(BARS) - 1))]


def _resampled(values: Sequence[float | None], width: int) -> list[float | None]:
    """As many values as there are characters: means of neighbours, or all."""
    if len(values) <= width:
        return list(values)
    means: list[float | None] = []
    for place in range(width):
        begin, end = place * len(values) // width, (place + 1) * len(values) // width
        known = [value for value in values[begin:end] if value is not None]
        means.append(math.fsum(known) / len(known) if known else None)
    return means
