"""A source in, everything that its files hold in one table out, whose arrays are files as well."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from pathlib import Path

from trainer_cli.data.source import InputArray, Origin, Source, SplitSpec, Table, TargetArray, joined
from trainer_cli.data.split_column import SplitColumn
from trainer_cli.data.stored_array import BYTES_AT_ONCE, Growing, block_rows, by_column
from trainer_cli.data.weighting import checked_weights
from trainer_cli.errors import DataError
from trainer_cli.lazy import np

_RAW_BYTES = 8
"""Of a number as it is read."""


def raw_table(source: Source, folder: Path, scratch: Path, total: str) -> Table:
    """Everything that the source's files hold, in files of their arrays below `scratch`; `total` is their digest."""
    stored = source.stored(folder, scratch)
    if stored is not None:
        parts = {name: part._replace(digest=total) for name, part in stored.parts.items()}
        return stored._replace(digest=total, parts=parts)
    weight = str(getattr(source, "sample_weight", None))
    row = sum(math.prod(given.shape) for given in source.signature(folder).inputs.values())
    step = block_rows(_RAW_BYTES * row, BYTES_AT_ONCE)
    parts = {
        name: _raw_part(source.part_blocks(folder, name, step), scratch, name, weight, source.split)
        for name in source.files(folder)
    }
    main = parts.pop("train")
    for name, part in parts.items():
        parts[name] = part._replace(digest=total)
        for key, given in part.inputs.items():
            here, there = main.inputs[key].values.shape[1:], given.values.shape[1:]
            if here != there:
                raise DataError(f"{part.file}: rows have the shape {there}, those to train on {here}")
    return main._replace(digest=total, parts=parts)


def _raw_part(blocks: Iterator[Table], scratch: Path, part: str, weight: str, split: SplitSpec) -> Table:
    """The blocks as one table."""
    inputs: dict[str, _RawInput] = {}
    targets: dict[str, _RawTarget] = {}
    weights: list[np.ndarray] = []
    split_by: SplitColumn | None = None
    last: Table | None = None
    for last in blocks:
        for place, (name, given) in enumerate(last.inputs.items()):
            inputs.setdefault(name, _RawInput(scratch / f"raw.{part}.input.{place}")).append(given)
        for place, (name, target) in enumerate(last.targets.items()):
            targets.setdefault(name, _RawTarget(scratch / f"raw.{part}.target.{place}")).append(target)
        if last.sample_weights is not None:
            weights.append(last.sample_weights)
        if last.split_by is not None:
            split_by = split_by or SplitColumn(split)
            split_by.add(last.split_by, next(iter(last.inputs.values())).origin)
    assert last is not None, "a source without rows is an error of its own"
    arrays = {name: each.whole() for name, each in inputs.items()}
    origin = next(iter(arrays.values())).origin
    return Table(
        inputs=arrays,
        targets={name: each.whole() for name, each in targets.items()},
        digest="",
        learned=last.learned,
        split_by=None if split_by is None else split_by.numbers(),
        sample_weights=checked_weights(np.concatenate(weights), origin, weight) if weights else None,
    )


class _RawInput:
    """The rows of an input as they come; codes of words become codes of the words of all blocks."""

    def __init__(self, path: Path) -> None:
        self._values = Growing(path)
        self._origins: list[tuple[int, Origin]] = []
        self._words: list[dict[str, int]] = []
        self._last: InputArray | None = None

    def append(self, given: InputArray) -> None:
        values, self._last = given.values, given
        self._words = self._words or [{} for _ in given.columns or (given,)]
        if given.words is not None:
            # The code -1 of padding reads the last entry.
            values = np.append(_numbers(self._words[0], given.words.names), -1).astype(values.dtype)[values]
        for place, (column, words) in enumerate(zip(given.columns or (), self._words, strict=False)):
            if column.kind == "categorical":
                there = ~np.isnan(values[:, place])
                values[there, place] = _numbers(words, column.words)[values[there, place].astype(np.int64)]
        self._values.append(values, given.origin.file)
        self._origins.append((len(values), given.origin))

    def whole(self) -> InputArray:
        assert self._last is not None
        values, last = self._values.mapped(), self._last
        if last.columns is not None:
            columns = zip(last.columns, self._words, strict=True)
            last = last._replace(columns=tuple(column._replace(words=tuple(words)) for column, words in columns))
            values = by_column(values, self._values.path.with_suffix(".columns"))
        if last.words is not None:
            last = last._replace(words=last.words._replace(names=list(self._words[0])))
        return last._replace(values=values, origin=joined(self._origins))


def _numbers(places: dict[str, int], names: Iterable[str]) -> np.ndarray:
    """The number of each name, which it gets when it is first seen."""
    return np.asarray([places.setdefault(name, len(places)) for name in names], np.int64)


class _RawTarget:
    """The rows of a target as they come: numbers in a file, texts in memory, each text once."""

    def __init__(self, path: Path) -> None:
        self._values = Growing(path)
        self._origins: list[tuple[int, Origin]] = []
        self._texts: dict[str, str] = {}
        self._cells: list[np.ndarray] = []
        self._last: TargetArray | None = None

    def append(self, target: TargetArray) -> None:
        values, text = target.values, target.values.dtype.kind in "UO"
        if self._last is not None and text != (self._last.values.dtype.kind in "UO"):
            name = ", ".join(f"`{column}`" for column in target.columns)
            raise DataError(
                f"{target.origin.file}: the target {name} is numbers in some blocks of rows and text in others",
                hint="`memory: loaded` reads all of it as text",
            )
        self._last = target
        self._origins.append((len(values), target.origin))
        if text:
            known = [self._texts.setdefault(each, each) for each in values.ravel().tolist()]
            self._cells.append(np.asarray(known, object).reshape(values.shape))
        else:
            self._values.append(values, target.origin.file)

    def whole(self) -> TargetArray:
        assert self._last is not None
        values = np.concatenate(self._cells) if self._cells else self._values.mapped()
        return self._last._replace(values=values, origin=joined(self._origins))
