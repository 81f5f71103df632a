"""A number of rows and the wanted fractions in, the row numbers of each part out.

A split is a function of the rows' number, their classes if stratified, the fractions and the seed, and of nothing else.
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


def split_rows(rows: int, spec: SplitSpec, seed: int, classes: np.ndarray | None = None) -> dict[PartName, np.ndarray]:
    """Row numbers of "train" and of each part held out, in ascending order.

    `classes` holds one number per row and makes the split stratified. Raises DataError if a part would be empty.
    """
    fractions = {name: getattr(spec, name) for name in HELD_OUT if getattr(spec, name) > 0}
    if not fractions:
        return {"train": np.arange(rows)}
    names: list[PartName] = ["train", *fractions]
    shares = [1.0 - sum(fractions.values()), *fractions.values()]
    order = RandomStream(seed, "split").permutation(rows)
    groups = [order] if classes is None else [order[classes[order] == value] for value in np.unique(classes)]
    pieces: dict[PartName, list[np.ndarray]] = {name: [] for name in names}
    for group in groups:
        ends = np.cumsum(apportion(len(group), shares))
        for name, piece in zip(names, np.split(group, ends[:-1]), strict=True):
            pieces[name].append(piece)
    parts = {name: np.sort(np.concatenate(found)) for name, found in pieces.items()}
    for name, part in parts.items():
        if len(part) == 0:
            wanted = "the training part" if name == "train" else f"split.{name} = {fractions[name]:g}"
            of_what = f"{rows} rows" if classes is None else f"{rows} rows in {len(groups)} classes"
            raise DataError(f"{wanted} of {of_what} holds no row", hint="change the fractions, or give more data")
    return parts
