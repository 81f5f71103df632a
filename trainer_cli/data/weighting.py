"""Numbers per row, or weights per class and the targets, in; how much each row of a split counts out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal, TypeAlias

from trainer_cli.data.source import SAMPLE_WEIGHT, Origin, Split, class_weight_name
from trainer_cli.errors import ConfigError, DataError, Problem
from trainer_cli.lazy import NDArray, np

if TYPE_CHECKING:
    from trainer_cli.data.targets import TargetEncoding

ClassWeights: TypeAlias = Literal["balanced"] | Mapping[str, float]
"""`balanced`, or weights by the name or the number of a class; classes that are not named count 1."""

Path: TypeAlias = tuple[str | int, ...]


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
    classes, count = _class_numbers(split.targets[name], encoding)
    if isinstance(weights, str):
        table = balanced(classes, count, split.weights.get(SAMPLE_WEIGHT))
    else:
        table = _table(weights, encoding, count, path)
        if not table[classes].any():
            raise ConfigError([Problem("every class of the training rows has the weight 0", path)])
    return np.ascontiguousarray(table[classes], np.float32)


def _class_numbers(target: NDArray[np.float32], encoding: TargetEncoding) -> tuple[NDArray[np.int64], int]:
    """The class of each place from 0, and how many classes there are."""
    if encoding.form == "labels":
        known = encoding.shape[-1] if encoding.shape else len(encoding.classes or ())
        return target.astype(np.int64), max(known, int(target.max(initial=0)) + 1)
    if encoding.form == "one_hot":
        return np.argmax(target, axis=-1), target.shape[-1]
    return np.rint(target[..., 0] if target.ndim > 1 else target).astype(np.int64), 2


def balanced(
    classes: NDArray[np.int64], count: int, sample_weights: NDArray[np.float32] | None = None
) -> NDArray[np.float64]:
    """Weights under which all classes weigh the same and all rows together what they weigh without: those of
    scikit-learn's `compute_class_weight`. A class without rows has the weight 1.

    `classes` `(rows, …)` are numbers below `count`; `sample_weights` `(rows,)` count a row more than once, or less.
    """
    each = np.ones(len(classes)) if sample_weights is None else np.asarray(sample_weights, np.float64)
    wide = np.broadcast_to(each.reshape(-1, *(1,) * (classes.ndim - 1)), classes.shape)
    totals = np.bincount(classes.ravel(), wide.ravel(), count)
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
