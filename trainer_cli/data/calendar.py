"""Seconds since the beginning of 1970 in; the parts of a date that a network can learn from, as numbers, out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, TypeAlias

from trainer_cli.lazy import np

DatePart: TypeAlias = Literal[
    "year", "quarter", "month", "week", "day_of_year", "day", "weekday", "hour", "minute", "second", "days"
]
"""`weekday` counts from 0, which is Monday; `hour`, `minute` and `second` from 0, the others from 1. `week` is that of
ISO 8601. `days` are those since the beginning of 1970, with their fraction."""

PERIODS: dict[str, tuple[float, float]] = {
    "quarter": (1, 4),
    "month": (1, 12),
    "week": (1, 53),
    "day_of_year": (1, 366),
    "day": (1, 31),
    "weekday": (0, 7),
    "hour": (0, 24),
    "minute": (0, 60),
    "second": (0, 60),
}
"""Where the parts that come again begin, and after how many steps they do."""

_DAY = 86_400.0


def date_part(seconds: np.ndarray, part: DatePart) -> np.ndarray:
    """One part of every time, float64."""
    whole_days = np.floor(seconds / _DAY)
    within = seconds - whole_days * _DAY
    if part == "days":
        return seconds / _DAY
    if part == "weekday":
        return (whole_days + 3) % 7  # 1 January 1970 was a Thursday
    if part in ("hour", "minute", "second"):
        divisor, period = {"hour": (3600, 24), "minute": (60, 60), "second": (1, 60)}[part]
        return np.floor(within / divisor) % period
    days = whole_days.astype("datetime64[D]")
    years = days.astype("datetime64[Y]")
    if part == "week":
        # The week of a date is that of its Thursday, and weeks are counted in the Thursday's year.
        thursday = days + (3 - (whole_days + 3) % 7).astype("timedelta64[D]")
        return np.floor((thursday - thursday.astype("datetime64[Y]")).astype(np.float64) / 7) + 1
    if part == "year":
        return years.astype(np.float64) + 1970
    if part == "day_of_year":
        return (days - years).astype(np.float64) + 1
    months = days.astype("datetime64[M]")
    if part == "day":
        return (days - months).astype(np.float64) + 1
    month = (months - years.astype("datetime64[M]")).astype(np.float64)
    return month + 1 if part == "month" else np.floor(month / 3) + 1


def date_numbers(seconds: np.ndarray, parts: Sequence[DatePart], cyclical: bool) -> list[tuple[np.ndarray, bool]]:
    """The numbers of every time, each with whether it may be scaled.

    `cyclical` parts that come again become a sine and a cosine, so that December stands beside January.
    """
    found: list[tuple[np.ndarray, bool]] = []
    for part in parts:
        values = date_part(seconds, part)
        if cyclical and part in PERIODS:
            first, period = PERIODS[part]
            angle = (values - first) * (2 * np.pi / period)
            found += [(np.sin(angle), False), (np.cos(angle), False)]
        else:
            found.append((values, True))
    return found


def date_width(parts: Sequence[str], cyclical: bool) -> int:
    """How many numbers a time becomes."""
    return sum(2 if cyclical and part in PERIODS else 1 for part in parts)
