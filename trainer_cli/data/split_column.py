"""The column that a split goes by in, as texts or numbers and in blocks, a number for each row's group or time out."""

from __future__ import annotations

import math
from collections.abc import Sequence

from trainer_cli.data.delimited import is_number
from trainer_cli.data.source import Origin, SplitSpec
from trainer_cli.data.times import times
from trainer_cli.errors import DataError
from trainer_cli.lazy import NDArray, np


class SplitColumn:
    """Rows as they come. What is found does not depend on how many come at a time."""

    def __init__(self, split: SplitSpec) -> None:
        assert split.column is not None
        self._name = split.column
        self._is_time = split.time is not None
        self._places: dict[str, int] = {}
        self._found: list[np.ndarray] = []
        # Whether a column of texts holds numbers or dates is known when its last row has been seen.
        self._times: list[np.ndarray] = []
        self._are_numbers, self._no_times = True, None

    _no_times: DataError | None

    def add(self, values: Sequence[str] | NDArray[np.float64], origin: Origin) -> None:
        """Take the next rows. Raises DataError for a text that names no group."""
        if isinstance(values, np.ndarray):
            self._found.append(values)
        elif self._is_time:
            self._add_times(values, origin)
        else:
            self._found.append(self._groups(values, origin))

    def numbers(self) -> NDArray[np.float64]:
        """All rows, `(rows,)`: equal numbers in a group, ascending in time. Raises DataError for what is no time."""
        if not self._are_numbers and self._no_times is not None:
            raise self._no_times
        found = self._found if self._are_numbers else self._times
        return found[0] if len(found) == 1 else np.concatenate(found)

    def _groups(self, texts: Sequence[str], origin: Origin) -> np.ndarray:
        numbers = np.empty(len(texts), np.int64)
        for row, text in enumerate(texts):
            if not text.strip():
                raise DataError(f"{origin.at(row)}, column `{self._name}`: the cell is empty, and names no group")
            numbers[row] = self._places.setdefault(text.strip(), len(self._places))
        return numbers

    def _add_times(self, texts: Sequence[str], origin: Origin) -> None:
        if self._are_numbers and all(is_number(text) and math.isfinite(float(text)) for text in set(texts)):
            self._found.append(np.fromiter(map(float, texts), np.float64, len(texts)))
        else:
            self._are_numbers, self._found = False, []
        if self._no_times is None:
            try:
                self._times.append(times(texts, origin, self._name, None, gaps=False))
            except DataError as error:
                self._no_times, self._times = error, []


def split_numbers(split: SplitSpec, values: Sequence[str] | NDArray[np.float64], origin: Origin) -> NDArray[np.float64]:
    """All rows of the column that a split goes by, as numbers `(rows,)`. Raises DataError."""
    column = SplitColumn(split)
    column.add(values, origin)
    return column.numbers()
