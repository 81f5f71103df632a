"""Texts of dates and times in, seconds since the beginning of 1970 out; no time zone means Greenwich."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import UTC, datetime

from trainer_cli.data.delimited import is_missing
from trainer_cli.data.files import shown
from trainer_cli.data.source import Origin
from trainer_cli.errors import DataError
from trainer_cli.lazy import np


def seconds(text: str, pattern: str | None = None) -> float | None:
    """The time that a text names, None if it names none: in ISO 8601, or as `strptime` reads it by the pattern."""
    try:
        found = datetime.fromisoformat(text) if pattern is None else datetime.strptime(text, pattern)
        return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return None


def times(texts: Sequence[str], origin: Origin, column: str, pattern: str | None, gaps: bool) -> np.ndarray:
    """A column of times as float64, NaN for gaps where `gaps` may be. Raises DataError for the first bad cell."""
    known: dict[str, float] = {}
    for row, text in enumerate(texts):
        if text in known:
            continue
        found = math.nan if gaps and is_missing(text) else seconds(text.strip(), pattern)
        if found is None:
            like = "such as 2024-12-31 or 2024-12-31T23:59:59" if pattern is None else f"in the form {pattern}"
            hint = None if pattern is not None else "other forms need `format`, for example `format: '%d.%m.%Y'`"
            what = f"found {shown(text)}" if text.strip() else "the cell is empty"
            raise DataError(f"{origin.at(row)}, column `{column}`: expected a date or time {like}, {what}", hint=hint)
        known[text] = found
    return np.fromiter((known[text] for text in texts), np.float64, len(texts))
