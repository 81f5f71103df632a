"""What a survey of rows found, whatever their format: the keys that read them, their shape, and what is predicted."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple

from trainer_cli.errors import DataError
from trainer_cli.lazy import np

Kind = Literal["vector", "image", "sequence", "tokens", "text"]
"""What the rows are: numbers in no order; pixels; a vector per time step; tokens; windows of a running text."""

_MOST_CLASSES = 1000
_FEW_CLASSES = 20


class Wanted(NamedTuple):
    """What is predicted: one of `classes`, or `width` numbers. `places`: one at every place of the row. `indicators`:
    classes are given as a 1 among zeros."""

    classes: int | None = None
    width: int = 1
    places: bool = False
    indicators: bool = False
    rarest: int = 2
    """How many rows the rarest class has."""


class Key(NamedTuple):
    """A value in the config's `data`, and what its comment says."""

    value: object
    comment: str = ""


class Branch(NamedTuple):
    """One of several inputs: what its rows are, and their shape."""

    kind: Kind
    shape: tuple[int, ...]


class Outline(NamedTuple):
    """The rows of some files. `about` says in words what they are, `keys` read them as a data source of type `source`,
    `shape` is a row's, `tokens` how many different whole numbers it may hold; `parts` have rows of their own.
    `branches` are the inputs, if there are several."""

    source: str
    about: str
    rows: int
    kind: Kind
    shape: tuple[int, ...]
    wanted: Wanted
    keys: Mapping[str, Key]
    tokens: int | None = None
    bytes_: bool = False
    parts: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    branches: Mapping[str, Branch] = {}


def kind_of(shape: tuple[int, ...], *, bytes_: bool, wished: Kind | None, where: str) -> Kind:
    """What rows of this shape are taken for, unless it is said. Raises DataError for a wish that cannot be."""
    possible: dict[int, tuple[Kind, ...]] = {
        0: ("vector",),
        1: ("vector", "sequence", "tokens"),
        2: ("image", "sequence", "vector") if bytes_ else ("sequence", "image", "vector"),
        3: ("image", "vector"),
    }
    found = possible.get(len(shape), ("vector",))
    if wished is None:
        return found[0]
    if wished not in found:
        raise DataError(f"{where}: rows of shape {shape} can be taken for {', '.join(found)}, not for {wished}")
    return wished


def wanted_of(values: np.ndarray, row_shape: Sequence[int], where: str) -> Wanted:
    """What targets, rows first, ask for: texts and few whole numbers are classes. Raises DataError if it is nothing."""
    if values.ndim > 1 and values.shape[-1] == 1:
        values = values[..., 0]
    places = values.ndim > 1 and values.shape[1:] == tuple(row_shape[: values.ndim - 1])
    texts = values.dtype.kind in "UO"
    distinct, counts = np.unique(values, return_counts=True)
    if len(distinct) == 1:
        raise DataError(f"{where}: all rows hold `{distinct[0]}`, so there is nothing to predict")
    if texts:
        if len(distinct) > max(_MOST_CLASSES, len(values) // 3):
            raise DataError(f"{where}: holds {len(distinct):,} different texts, which are no classes")
        return Wanted(len(distinct), places=places, rarest=int(counts.min()))
    whole = bool((values == np.floor(values)).all() and distinct[0] >= 0)
    if values.ndim == 2 and len(distinct) == 2 and set(distinct.tolist()) == {0, 1}:
        per_class = values.sum(axis=0)
        if (values.sum(axis=1) == 1).all() and not places:
            return Wanted(values.shape[1], indicators=True, rarest=int(per_class.min()))
    # Class numbers leave few gaps; numbers that are measured as integers leave many.
    most = _MOST_CLASSES if values.dtype.kind in "iub" else _FEW_CLASSES
    few = len(distinct) <= min(most, max(2, values.size // 3)) and distinct[-1] < 2 * len(distinct)
    if whole and few and (values.ndim == 1 or places):
        return Wanted(int(distinct[-1]) + 1, places=places, rarest=int(counts.min()))
    if values.ndim > 2:
        raise DataError(f"{where}: targets of shape {values.shape[1:]} are none that `init` has a template for")
    return Wanted(None, math.prod(values.shape[1:]), places=places)
