"""Numbers per row, or weights per class and the targets, in; how much each row of a split counts out."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Literal, TypeAlias

from trainer_cli.data.source import SAMPLE_WEIGHT, Origin, Split, class_weight_name
from trainer_cli.errors import ConfigError, DataError, Problem, ResourceError
from trainer_cli.lazy import NDArray, np

if TYPE_CHECKING:
    from trainer_cli.data.targets import TargetEncoding

ClassWeights: TypeAlias = Literal["balanced"] | Mapping[str, float]
"""`balanced`, or weights by the name or the number of a class; classes that are not named count 1."""

Path: TypeAlias = tuple[str | int, ...]

Block: TypeAlias = tuple[int, "NDArray[np.int64]"]
"""The classes of some rows, and the number of the first of them."""

_NUMBERS_AT_ONCE = 1 << 18


def checked_weights(
    values: NDArray[np.float64], origin: Origin, name: str, *, whole: bool = True
) -> NDArray[np.float64]:
    """Sample weights `(rows,)`, which are finite. Raises DataError for one below 0, and where all are 0.

    Of a block of rows, which is not the `whole`, all may be 0.
    """
    bad = values < 0
    if bad.any():
        row = int(np.argmax(bad))
        raise DataError(f"{origin.at(row)}: the sample weight `{name}` is {values[row]:g}, below 0")
    if whole and not values.any():
        raise DataError(f"{origin.file}: all sample weights `{name}` are 0, so no row counts")
    return values


def with_class_weights(
    split: Split, given: Mapping[str, tuple[ClassWeights, Path]], encodings: Mapping[str, TargetEncoding]
) -> Split:
    """The split with a number for each row, or each place of a row, that tells how much its class counts.

    `given` are the weights with their places in the config by the names of targets. Raises ConfigError for classes
    that the data does not have.
    """
    if not given:
        return split
    found = {
        class_weight_name(name): _by_row(split, name, encodings[name], weights, path)
        for name, (weights, path) in given.items()
    }
    return split._replace(weights={**split.weights, **found})


def _by_row(
    split: Split, name: str, encoding: TargetEncoding, weights: ClassWeights, path: Path
) -> NDArray[np.float32]:
    """The weight of every row's class, `(rows,)`, or of every place's, `(rows, …)`."""
    target = split.targets[name]
    count = _class_count(target, encoding)
    if isinstance(weights, str):
        table = _balanced(_classes(target, encoding), count, split.weights.get(SAMPLE_WEIGHT))
    else:
        table = _table(weights, encoding, count, path)
        if not any(table[classes].any() for _, classes in _classes(target, encoding)):
            raise ConfigError([Problem("every class of the training rows has the weight 0", path)])
    # The last axis of other forms has the classes' numbers, or the one number that tells two classes apart.
    shape = target.shape if encoding.form == "labels" or target.ndim == 1 else target.shape[:-1]
    return _array(shape, (table[classes].astype(np.float32) for _, classes in _classes(target, encoding)), target)


def _array(
    shape: tuple[int, ...], blocks: Iterator[NDArray[np.float32]], target: NDArray[np.float32]
) -> NDArray[np.float32]:
    """The blocks as one array: in memory; or in a file without a name, where they are many to a row of mapped data."""
    mapped = target.base
    if len(shape) == 1 or not isinstance(mapped, np.memmap) or mapped.filename is None:
        return np.concatenate([*blocks])
    try:
        import tempfile

        with tempfile.TemporaryFile(dir=os.path.dirname(mapped.filename)) as file:
            for block in blocks:
                file.write(np.ascontiguousarray(block).data)
            file.flush()
            return np.asarray(np.memmap(file, np.float32, "r", shape=shape))
    except OSError as error:
        message = f"cannot write the weights of the classes: {error.strerror or error}"
        raise ResourceError(message, hint="free some disk space, or leave out `class_weight`") from error


def _class_count(target: NDArray[np.float32], encoding: TargetEncoding) -> int:
    """How many classes there are."""
    if encoding.form == "labels":
        known = encoding.shape[-1] if encoding.shape else len(encoding.classes or ())
        return max(known, int(target.max(initial=0)) + 1)
    return target.shape[-1] if encoding.form == "one_hot" else 2


def _classes(target: NDArray[np.float32], encoding: TargetEncoding) -> Iterator[Block]:
    """The class of each place from 0, of some rows at a time: there may be more of them than memory holds."""
    step = max(1, _NUMBERS_AT_ONCE // max(1, target[:1].size))
    for begin in range(0, len(target), step):
        rows = target[begin : begin + step]
        if encoding.form == "labels":
            yield begin, rows.astype(np.int64)
        elif encoding.form == "one_hot":
            yield begin, np.argmax(rows, axis=-1)
        else:
            yield begin, np.rint(rows[..., 0] if rows.ndim > 1 else rows).astype(np.int64)


def balanced(
    classes: NDArray[np.int64], count: int, sample_weights: NDArray[np.float32] | None = None
) -> NDArray[np.float64]:
    """Weights under which all classes weigh the same and all rows together what they weigh without: those of
    scikit-learn's `compute_class_weight`. A class without rows has the weight 1.

    `classes` `(rows, …)` are numbers below `count`; `sample_weights` `(rows,)` count a row more than once, or less.
    """
    return _balanced([(0, classes)], count, sample_weights)


def _balanced(blocks: Iterable[Block], count: int, sample_weights: NDArray[np.float32] | None) -> NDArray[np.float64]:
    totals: NDArray[np.float64] = np.zeros(count)
    for begin, classes in blocks:
        each = np.ones(len(classes))
        if sample_weights is not None:
            each = np.asarray(sample_weights[begin : begin + len(classes)], np.float64)
        wide = np.broadcast_to(each.reshape(-1, *(1,) * (classes.ndim - 1)), classes.shape)
        # The sums so far come first, so that everything is added in one order however large the blocks are.
        numbers = np.concatenate([np.arange(count), classes.ravel()])
        totals = np.bincount(numbers, np.concatenate([totals, wide.ravel()]), count).astype(np.float64, copy=False)
    present = totals > 0
    table = np.ones(count)
    table[present] = totals.sum() / (np.count_nonzero(present) * totals[present])
    return table


def _table(weights: Mapping[str, float], encoding: TargetEncoding, count: int, path: Path) -> NDArray[np.float64]:
    """The weight of each class by its number."""
    names = {str(name): number for number, name in enumerate(encoding.classes or range(count))}
    table = np.ones(count)
    problems = []
    for key, weight in weights.items():
        number = names.get(key)
        if number is None and key.isdecimal() and int(key) < count:
            number = int(key)
        if number is None:
            known = ", ".join(f"`{name}`" for name in list(names)[:10]) + (", …" if len(names) > 10 else "")
            problems.append(Problem(f"the target has no class `{key}`", (*path, key), f"classes: {known}"))
        else:
            table[number] = weight
    if problems:
        raise ConfigError(problems)
    return table
