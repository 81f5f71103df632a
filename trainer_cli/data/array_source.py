"""Keys of arrays by what they are for in, a table of these out: what sources of NumPy's formats share."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, ClassVar, NamedTuple, Self, TypeAlias

from pydantic import model_validator

from trainer_cli.data.arrays import ArrayFile, ArrayKey, Arrays, array_weights
from trainer_cli.data.files import digest
from trainer_cli.data.source import (
    INPUT,
    TARGET,
    InputArray,
    Signature,
    Source,
    Table,
    TargetArray,
    input_signature,
)
from trainer_cli.errors import DataError
from trainer_cli.lazy import np
from trainer_cli.parts.families import Refusal, refusal

ROLES = ("input", "target", "sample_weight")
"""What an array may be for; `validation_input` and so on are those of these parts."""

GivenKeys: TypeAlias = str | Sequence[str] | Mapping[str, str | Sequence[str]] | None


class _Keys(NamedTuple):
    """The keys of a part's arrays, by the names of inputs and targets."""

    inputs: dict[str, ArrayKey]
    targets: dict[str, ArrayKey]
    weight: ArrayKey | None
    split: ArrayKey | None = None

    @property
    def each(self) -> list[ArrayKey]:
        others = [key for key in (self.weight, self.split) if key is not None]
        return [*self.inputs.values(), *self.targets.values(), *others]


class ArraySource(Source):
    """A source of arrays with rows along the first axis.

    The fields `input`, `target` and `sample_weight`, by themselves and with `validation_` and `test_` before, name
    arrays.
    """

    has_columns: ClassVar[bool] = True

    @abstractmethod
    def _open(self, folder: Path) -> AbstractContextManager[ArrayFile]:
        """The arrays, to be read. Raises DataError."""

    @model_validator(mode="after")
    def _name_arrays_in_pairs(self) -> Self:
        whole = self._keys("train")
        for part in ("validation", "test"):
            own = self._keys(part)
            if own.targets and not own.inputs:
                message, where = f"`{part}_target` needs `{part}_input`", f"{part}_target"
                raise refusal([Refusal("array_missing", message, where=(where,))])
            if own.inputs and bool(own.targets) != bool(whole.targets):
                message, where = f"give either both `target` and `{part}_target`, or neither", f"{part}_input"
                raise refusal([Refusal("array_missing", message, where=(where,))])
            if (own.weight is not None) != (bool(own.inputs) and whole.weight is not None):
                where = f"{part}_sample_weight"
                message = f"`{where}` goes with `sample_weight` and `{part}_input`: give all of them, or leave it out"
                raise refusal([Refusal("array_missing", message, where=(where,))])
            for role, mine, theirs in (("input", whole.inputs, own.inputs), ("target", whole.targets, own.targets)):
                if theirs and set(theirs) != set(mine):
                    message = f"`{part}_{role}` must name an array for each of {', '.join(mine)}"
                    raise refusal([Refusal("array_missing", message, where=(f"{part}_{role}",))])
        return self

    @property
    def own_parts(self) -> tuple[str, ...]:
        return tuple(part for part in ("validation", "test") if getattr(self, f"{part}_input") is not None)

    def _keys(self, part: str) -> _Keys:
        prefix = "" if part == "train" else f"{part}_"
        inputs, targets, weight = (getattr(self, f"{prefix}{role}") for role in ROLES)
        split = self.split.column if part == "train" else None
        return _Keys(_by_name(inputs, INPUT), _by_name(targets, TARGET), _key(weight), split)

    def signature(self, folder: Path) -> Signature:
        keys = self._keys("train")
        with self._open(folder) as arrays:
            headers = {key: arrays.header(key) for key in keys.each}
        inputs = {}
        for name, key in keys.inputs.items():
            kept = "uint8" if headers[key].dtype == np.uint8 else "float32"
            inputs[name] = input_signature(headers[key].shape[1:] or (1,), kept, self.scaling)
        return Signature(inputs, tuple(keys.targets))

    def read(self, folder: Path) -> Table:
        total = digest([path for paths in self.files(folder).values() for path in paths])
        with self._open(folder) as arrays:
            tables = {part: _table(arrays, self._keys(part), total) for part in ("train", *self.own_parts)}
            table = tables.pop("train")
            for part, other in tables.items():
                for role in ("inputs", "targets"):
                    for name, key in getattr(self._keys(part), role).items():
                        shape = getattr(table, role)[name].values.shape[1:]
                        own = getattr(other, role)[name].values.shape[1:]
                        if shape != own:
                            shapes = f"{own}, those to train on {shape}"
                            raise DataError(f"{arrays.place(key)}: its rows have shape {shapes}")
        return table._replace(parts=tables)

    def part_blocks(self, folder: Path, part: str, most: int) -> Iterator[Table]:
        keys = self._keys(part)
        with self._open(folder) as arrays:
            for block in arrays.blocks(keys.each, most):
                yield _table(block, keys, "")


def _key(given: str | Sequence[str] | None) -> ArrayKey | None:
    return given if given is None or isinstance(given, str) else tuple(given)


def _by_name(given: GivenKeys, single: str) -> dict[str, ArrayKey]:
    """The keys of arrays by the names of inputs or targets."""
    named = given if isinstance(given, Mapping) else {} if given is None else {single: given}
    return {name: each if isinstance(each, str) else tuple(each) for name, each in named.items()}


def _table(arrays: Arrays, keys: _Keys, total: str) -> Table:
    """The arrays of a part, whole (then `total` is their digest) or some of their rows."""
    if isinstance(arrays, ArrayFile):
        arrays.agreed(keys.each)
    inputs = {}
    for name, key in keys.inputs.items():
        values = arrays.numbers(key)
        inputs[name] = InputArray(values[:, np.newaxis] if values.ndim == 1 else values, arrays.origin(key))
    targets = {
        name: TargetArray(arrays.target(key), arrays.origin(key), (arrays.name(key),))
        for name, key in keys.targets.items()
    }
    return Table(
        inputs,
        targets,
        total,
        split_by=None if keys.split is None else _split_by(arrays, keys.split),
        sample_weights=None if keys.weight is None else array_weights(arrays, keys.weight, whole=bool(total)),
    )


def _split_by(arrays: Arrays, key: ArrayKey) -> Any:
    """What the split goes by: numbers, or texts."""
    values = arrays.target(key)
    if values.ndim != 1:
        raise DataError(f"{arrays.place(key)}: the split goes by one value per row, not by rows of {values.shape[1:]}")
    return values.tolist() if values.dtype.kind == "U" else values
