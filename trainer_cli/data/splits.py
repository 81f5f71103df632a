"""A number of rows and the wanted fractions in, the row numbers of each part out.

A split is a function of the rows' number, their classes, groups or times if it goes by them, the fractions and the
seed, and of nothing else.
"""

from __future__ import annotations

from collections.abc import Sequence

from trainer_cli.data.source import PartName, SplitSpec
from trainer_cli.errors import DataError
from trainer_cli.ir.random import RandomStream
from trainer_cli.lazy import np

HELD_OUT: tuple[PartName, ...] = ("validation", "test")


def apportion(count: int, fractions: Sequence[float]) -> list[int]:
    """Divide `count` by fractions that add up to 1, by largest remainder; ties go to the earlier fraction."""
    # 0.15 × 20 is 3.0000000000000004 in some orders of multiplication: such dust must not decide a remainder.
    exact = [round(count * fraction, 9) for fraction in fractions]
    whole = [int(share) for share in exact]
    by_remainder = sorted(range(len(exact)), key=lambda part: whole[part] - exact[part])
    for part in by_remainder[: count - sum(whole)]:
        whole[part] += 1
    return whole


def split_rows(
    rows: int, spec: SplitSpec, seed: int, classes: np.ndarray | None = None, by: np.ndarray | None = None
) -> dict[PartName, np.ndarray]:
    """Row numbers of "train" and of each part held out, in ascending order.

    `classes` holds one number per row and makes the split stratified; `by` has the groups or times of the rows, where
    the split goes by them. Raises DataError if a part would be empty.
    """
    fractions = {name: getattr(spec, name) for name in HELD_OUT if getattr(spec, name) > 0}
    if not fractions:
        return {"train": np.arange(rows)}
    names: list[PartName] = ["train", *fractions]
    shares = [1.0 - sum(fractions.values()), *fractions.values()]
    of_what = f"{rows} rows"
    if spec.group is not None:
        assert by is not None
        groups, group_of_row = np.unique(by, return_inverse=True)
        numbers = _whole_groups(np.bincount(group_of_row), shares, seed)[group_of_row]
        of_what += f" in {len(groups)} group{'' if len(groups) == 1 else 's'}"
    elif spec.time is not None:
        assert by is not None
        numbers = _in_order(by, shares)
        of_what += f" at {len(np.unique(by))} times"
    else:
        numbers = _by_lot(rows, shares, seed, classes)
        of_what += "" if classes is None else f" in {len(_distinct(classes))} classes"
    parts = {name: np.flatnonzero(numbers == number) for number, name in enumerate(names)}
    for name, part in parts.items():
        if len(part) == 0:
            wanted = "the training part" if name == "train" else f"split.{name} = {fractions[name]:g}"
            raise DataError(f"{wanted} of {of_what} holds no row", hint="change the fractions, or give more data")
    return parts


def _by_lot(rows: int, shares: Sequence[float], seed: int, classes: np.ndarray | None) -> np.ndarray:
    """The number of each row's part, drawn among all rows or within each class."""
    order = RandomStream(seed, "split").permutation(rows)
    strata = [order] if classes is None else [order[classes[order] == value] for value in _distinct(classes)]
    numbers = np.empty(rows, np.int64)
    for stratum in strata:
        numbers[stratum] = np.repeat(np.arange(len(shares)), apportion(len(stratum), shares))
    return numbers


def _distinct(numbers: np.ndarray) -> np.ndarray:
    """Each number once, in ascending order. Asked for these alone, NumPy imports masked arrays, which takes 10 ms."""
    return np.unique(numbers, return_counts=True)[0]


def _whole_groups(sizes: np.ndarray, shares: Sequence[float], seed: int) -> np.ndarray:
    """The number of each group's part: groups are laid end to end in a drawn order, and the middle of each decides.

    A part that no middle falls into takes the smallest group of the part that has the most, if that has another.
    """
    order = RandomStream(seed, "split").permutation(len(sizes))
    middles = np.cumsum(sizes[order]) - sizes[order] / 2
    numbers = np.empty(len(sizes), np.int64)
    numbers[order] = np.searchsorted(np.cumsum(shares)[:-1] * sizes.sum(), middles, side="right")
    for part in range(len(shares)):
        counts = np.bincount(numbers, minlength=len(shares))
        if counts[part] == 0 and counts.max() > 1:
            richest = np.flatnonzero(numbers == np.argmax(counts))
            numbers[richest[np.argmin(sizes[richest])]] = part
    return numbers


def _in_order(times: np.ndarray, shares: Sequence[float]) -> np.ndarray:
    """The number of each row's part by its time. Rows of one time are in one part, as near to the shares as may be."""
    order = np.argsort(times, kind="stable")
    ordered = times[order]
    # A border may stand wherever the time changes, and at either end.
    borders = np.concatenate([[0], np.flatnonzero(ordered[1:] != ordered[:-1]) + 1, [len(times)]])
    ends = [borders[np.argmin(np.abs(borders - end))] for end in np.cumsum(apportion(len(times), shares))[:-1]]
    numbers = np.empty(len(times), np.int64)
    numbers[order] = np.searchsorted(ends, np.arange(len(times)), side="right")
    return numbers
